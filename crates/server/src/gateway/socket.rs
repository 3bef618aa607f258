//! Sending and closing on an agent's socket, with a deadline for each.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use berth_agent_proto::envelope::MESSAGE_BYTES_MAX;
use berth_agent_proto::server::{CLOSE_POLICY, Close};

/// How long one frame may take to be sent: an agent that takes longer does not read.
const SEND_MAX: Duration = Duration::from_secs(30);
/// The read buffer of a socket. There are two for each agent, mostly idle, so it is small.
const READ_BUFFER_BYTES: usize = 4 * 1024;
/// Bytes that may wait to be written on one socket.
const WRITE_BUFFER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Why a socket is closed whose agent's credentials were ended.
pub(crate) const SHUT_OUT: Close = Close {
    code: CLOSE_POLICY,
    reason: "the credentials were ended",
};

/// The peer does not read, or is gone.
pub(crate) struct Gone;

/// The upgrade with our limits.
pub(crate) fn limited(upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    upgrade
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX)
}

/// Sends one frame.
pub(crate) async fn send(socket: &mut WebSocket, message: Message) -> Result<(), Gone> {
    match tokio::time::timeout(SEND_MAX, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Gone),
    }
}

/// Closes the socket with a code and a reason.
pub(crate) async fn close(socket: &mut WebSocket, close: Close) {
    let frame = CloseFrame {
        code: close.code,
        reason: close.reason.into(),
    };
    let _ = send(socket, Message::Close(Some(frame))).await;
}
