//! Where new ids come from: a seeded stream, so that a run can be replayed.

use berth_model::id::{InstanceId, TaskId};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// A stream of ids and chance. Secrets never come from here: the seed may be printed.
#[derive(Clone, Debug)]
pub struct Ids(ChaCha12Rng);

impl Ids {
    /// The stream that belongs to `seed`. A server draws its seed from the operating system,
    /// a simulation prints it.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(ChaCha12Rng::from_seed(seed))
    }

    /// Sixteen bytes that this stream has not given before.
    pub fn bytes(&mut self) -> [u8; 16] {
        let mut bytes = [0; 16];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// A new task's id.
    pub fn task(&mut self) -> TaskId {
        TaskId::from_bytes(self.bytes())
    }

    /// A new container instance's id.
    pub fn instance(&mut self) -> InstanceId {
        InstanceId::from_bytes(self.bytes())
    }

    /// A number for choices that nothing else decides.
    pub fn chance(&mut self) -> u64 {
        self.0.next_u64()
    }
}
