//! A wire between an agent and its server that can be held, cut, pointed elsewhere, and that
//! remembers all that went over it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a read waits before it looks whether the wire is gone.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The wire. Dropping it closes what went over it.
pub struct Link {
    address: String,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: Mutex<String>,
    /// Nothing passes, in either direction, and nobody is told: as when a cable is pulled.
    held: Mutex<bool>,
    released: Condvar,
    ended: AtomicBool,
    tapes: Mutex<Vec<Arc<Mutex<Tape>>>>,
}

/// What went over one connection.
#[derive(Clone, Debug, Default)]
pub struct Tape {
    /// What the agent sent.
    pub up: Track,
    /// What the server sent.
    pub down: Track,
}

/// One direction of a connection.
#[derive(Clone, Debug, Default)]
pub struct Track {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Up to which byte had come by when.
    marks: Vec<(usize, Instant)>,
    /// When it ended.
    pub ended: Option<Instant>,
}

impl Track {
    /// When the byte before `end` came by.
    ///
    /// # Panics
    /// When there is no such byte.
    #[must_use]
    pub fn at(&self, end: usize) -> Instant {
        let mark = self.marks.partition_point(|(upto, _)| *upto < end);
        self.marks[mark].1
    }
}

#[derive(Clone, Copy)]
enum Direction {
    Up,
    Down,
}

impl Direction {
    fn of(self, tape: &mut Tape) -> &mut Track {
        match self {
            Direction::Up => &mut tape.up,
            Direction::Down => &mut tape.down,
        }
    }
}

impl Link {
    /// A wire to the server at this address.
    #[must_use]
    pub fn to(upstream: &str) -> Link {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound").to_string();
        let shared = Arc::new(Shared {
            upstream: Mutex::new(upstream.to_owned()),
            held: Mutex::new(false),
            released: Condvar::new(),
            ended: AtomicBool::new(false),
            tapes: Mutex::default(),
        });
        let accepting = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if accepting.ended.load(Ordering::Relaxed) {
                    return;
                }
                let shared = accepting.clone();
                std::thread::spawn(move || carry(&shared, stream));
            }
        });
        Link { address, shared }
    }

    /// `host:port` for the agent.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// From now on, nothing passes; what is sent waits.
    pub fn hold(&self) {
        *lock(&self.shared.held) = true;
    }

    /// What waits passes, and all that follows.
    pub fn release(&self) {
        *lock(&self.shared.held) = false;
        self.shared.released.notify_all();
    }

    /// New connections go to this address.
    pub fn point_to(&self, upstream: &str) {
        upstream.clone_into(&mut lock(&self.shared.upstream));
    }

    /// What went over each connection until now, in the order of their beginning.
    #[must_use]
    pub fn tapes(&self) -> Vec<Tape> {
        let tapes = lock(&self.shared.tapes);
        tapes.iter().map(|tape| lock(tape).clone()).collect()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        self.release();
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(&self.address);
    }
}

fn carry(shared: &Arc<Shared>, agent: TcpStream) {
    shared.wait_while_held();
    let upstream = lock(&shared.upstream).clone();
    let Ok(server) = TcpStream::connect(upstream) else {
        return;
    };
    for stream in [&agent, &server] {
        let _ = stream.set_nodelay(true);
        let _ = stream.set_read_timeout(Some(LOOK_EVERY));
    }
    let tape = Arc::new(Mutex::new(Tape::default()));
    lock(&shared.tapes).push(tape.clone());
    let (Ok(agent_too), Ok(server_too)) = (agent.try_clone(), server.try_clone()) else {
        return;
    };
    let (shared_too, tape_too) = (shared.clone(), tape.clone());
    let up = std::thread::spawn(move || {
        pump(&shared_too, &agent, &server, &tape_too, Direction::Up);
    });
    pump(shared, &server_too, &agent_too, &tape, Direction::Down);
    let _ = up.join();
}

/// Moves bytes from one end to the other until either is gone.
#[expect(clippy::disallowed_methods, reason = "a tape says when things came by")]
fn pump(
    shared: &Shared,
    mut from: &TcpStream,
    mut to: &TcpStream,
    tape: &Mutex<Tape>,
    direction: Direction,
) {
    let mut buffer = vec![0; 64 * 1024];
    while !shared.ended.load(Ordering::Relaxed) {
        let read = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if would_block(&error) => continue,
            Err(_) => break,
        };
        shared.wait_while_held();
        {
            let mut tape = lock(tape);
            let track = direction.of(&mut tape);
            track.bytes.extend_from_slice(&buffer[..read]);
            track.marks.push((track.bytes.len(), Instant::now()));
        }
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    shared.wait_while_held();
    direction.of(&mut lock(tape)).ended = Some(Instant::now());
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}

fn would_block(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted)
}

impl Shared {
    fn wait_while_held(&self) {
        let held = lock(&self.held);
        let waited = self
            .released
            .wait_while(held, |held| *held && !self.ended.load(Ordering::Relaxed));
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
