//! Reading request bodies: how long that may take, and how much of them is held at once.
//!
//! Everybody who can connect can send a body, signed or not, so what waits for its rest is
//! bounded over all connections together.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use berth_ops::ApiError;
use berth_wire::{Fault, FaultCode, check_body_size};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::sync::{Semaphore, SemaphorePermit};

/// How long a client may take to send a body: a mebibyte at a speed of 50 kB/s.
const BODY_TIMEOUT: Duration = Duration::from_secs(20);
/// Bytes of each body that count for nothing: nearly all requests are smaller, so they are let in
/// however many large ones are stuck. Ten thousand of these are 80 MiB.
const FREE_BYTES: usize = 8 * 1024;
/// Bytes of all bodies together, those that are free not counted: a hundred of the largest at
/// once, where a large one takes milliseconds to arrive.
const HELD_BYTES_MAX: usize = 100 * 1024 * 1024;

/// The room for bodies of all connections: memory is the process's, and so is this.
pub(super) static ROOM: BodyRoom = BodyRoom::new();

/// Room for bodies.
pub(super) struct BodyRoom(Semaphore);

impl BodyRoom {
    /// All of it free.
    const fn new() -> Self {
        Self(Semaphore::const_new(HELD_BYTES_MAX))
    }

    /// The whole body.
    pub(super) async fn read(&self, body: Body) -> Result<Bytes, ApiError> {
        let read = tokio::time::timeout(BODY_TIMEOUT, self.collect(body));
        read.await.unwrap_or_else(|_| {
            let code = FaultCode {
                code: "RequestTimeoutException".into(),
                status: 408,
            };
            let text = "The request body did not arrive in time.";
            Err(ApiError(Fault::client(code, text)))
        })
    }

    async fn collect(&self, mut body: Body) -> Result<Bytes, ApiError> {
        let mut whole = BytesMut::new();
        // Given back when the body has arrived: from then on its handling is what bounds it.
        let mut held: Option<SemaphorePermit<'_>> = None;
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(broke_off)?.into_data() else {
                continue;
            };
            let length = whole.len() + data.len();
            check_body_size(length).map_err(ApiError)?;
            let counted = length.saturating_sub(FREE_BYTES);
            let before = held.as_ref().map_or(0, SemaphorePermit::num_permits);
            let more = u32::try_from(counted - before).unwrap_or(u32::MAX);
            let more = self.0.try_acquire_many(more);
            let more = more.map_err(|_| ApiError(Fault::throttled()))?;
            match &mut held {
                Some(held) => held.merge(more),
                None => held = Some(more),
            }
            if whole.is_empty() && body.is_end_stream() {
                return Ok(data);
            }
            whole.extend_from_slice(&data);
        }
        Ok(whole.freeze())
    }
}

fn broke_off(error: axum::Error) -> ApiError {
    let fault = Fault::client("SerializationException", "The request body broke off.");
    ApiError(fault.caused_by(error))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use berth_wire::BODY_BYTES_MAX;
    use futures_util::{StreamExt, stream};

    use super::*;

    /// A body of so many bytes in pieces, which then never ends.
    fn endless(bytes: usize) -> Body {
        const PIECE: usize = 16 * 1024;
        let pieces =
            (0..bytes / PIECE).map(|_| Ok::<_, Infallible>(Bytes::from(vec![b' '; PIECE])));
        Body::from_stream(stream::iter(pieces).chain(stream::pending()))
    }

    fn code(outcome: Result<Bytes, ApiError>) -> (String, u16) {
        let ApiError(fault) = outcome.unwrap_err();
        (fault.bare_code().to_owned(), fault.status)
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_end_is_given_up() {
        let room = BodyRoom::new();
        let outcome = room.read(endless(64 * 1024)).await;
        assert_eq!(code(outcome), ("RequestTimeoutException".to_owned(), 408));
        assert_eq!(room.0.available_permits(), HELD_BYTES_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn stuck_bodies_take_a_bounded_room_and_small_ones_still_pass() {
        let room = std::sync::Arc::new(BodyRoom::new());
        let count = HELD_BYTES_MAX / (BODY_BYTES_MAX / 2) + 10;
        let stuck: Vec<_> = (0..count)
            .map(|_| {
                let room = room.clone();
                tokio::spawn(async move { room.read(endless(BODY_BYTES_MAX / 2)).await })
            })
            .collect();
        tokio::task::yield_now().await;
        let small = room.read(Body::from(vec![b' '; FREE_BYTES])).await;
        assert_eq!(small.unwrap().len(), FREE_BYTES);
        let mut codes = Vec::new();
        for stuck in stuck {
            codes.push(code(stuck.await.unwrap()).0);
        }
        codes.sort();
        codes.dedup();
        assert_eq!(codes, ["RequestTimeoutException", "ThrottlingException"]);
        let large = room.read(Body::from(vec![b' '; BODY_BYTES_MAX])).await;
        assert_eq!(large.unwrap().len(), BODY_BYTES_MAX);
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused() {
        let room = BodyRoom::new();
        let outcome = room.read(Body::from(vec![b' '; BODY_BYTES_MAX + 1])).await;
        assert_eq!(code(outcome).1, 413);
    }
}
