//! A terminal that is drawn over, and its keys.

use std::io::{self, Stdout, Write};

use anyhow::Context;
use termion::event::Key as Pressed;
use termion::input::TermRead;
use termion::raw::{IntoRawMode, RawTerminal};
use termion::screen::{AlternateScreen, IntoAlternateScreen};
use termion::{clear, cursor, style};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::view::{Line, Sort};

/// How many lines a page up or down is.
const PAGE: isize = 20;
/// The size of a terminal that does not tell its own.
const SIZE: (u16, u16) = (80, 24);

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Quit,
    Refresh,
    Sort(Sort),
    /// This many lines down.
    Scroll(isize),
}

/// The terminal, until it is dropped: then it is as it was.
pub(super) struct Screen {
    out: AlternateScreen<RawTerminal<Stdout>>,
    keys: mpsc::UnboundedReceiver<Key>,
    terminate: Signal,
    /// How many lines are scrolled away.
    above: usize,
}

impl Screen {
    /// Takes the terminal over.
    ///
    /// # Errors
    /// When it is none, or its keys cannot be read one by one.
    pub(super) fn open() -> anyhow::Result<Screen> {
        let terminate = signal(SignalKind::terminate()).context("signals cannot be received")?;
        let raw = io::stdout().into_raw_mode();
        let raw = raw.context("the terminal does not give single keys")?;
        let mut out = raw
            .into_alternate_screen()
            .context("the terminal is gone")?;
        write!(out, "{}", cursor::Hide).context("the terminal is gone")?;
        let (told, keys) = mpsc::unbounded_channel();
        // Reading blocks, and ends with the process.
        std::thread::spawn(move || {
            for pressed in io::stdin().keys().map_while(Result::ok) {
                let key = key_of(pressed);
                if key.is_some_and(|key| told.send(key).is_err()) {
                    return;
                }
            }
        });
        Ok(Screen {
            out,
            keys,
            terminate,
            above: 0,
        })
    }

    /// The next key; `None` when the process is to end.
    pub(super) async fn key(&mut self) -> Option<Key> {
        tokio::select! {
            key = self.keys.recv() => key,
            _ = self.terminate.recv() => None,
        }
    }

    /// Moves what is shown, as far as there is something when it is drawn.
    pub(super) fn scroll(&mut self, lines: isize) {
        self.above = self.above.saturating_add_signed(lines);
    }

    /// Draws the header and as many of the lines as there is room for.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub(super) fn draw(&mut self, header: &str, lines: &[Line]) -> anyhow::Result<()> {
        let (width, height) = termion::terminal_size().unwrap_or(SIZE);
        let room = usize::from(height).saturating_sub(1);
        self.above = self.above.min(lines.len().saturating_sub(room));
        let width = usize::from(width);
        let mut text = format!(
            "{}{}{}",
            cursor::Goto(1, 1),
            cut(header, width),
            clear::UntilNewline
        );
        for line in lines.iter().skip(self.above).take(room) {
            let shown = cut(&line.text, width);
            text += "\r\n";
            text += &match line.heading {
                true => format!("{}{shown}{}", style::Bold, style::Reset),
                false => shown,
            };
            text += clear::UntilNewline.as_ref();
        }
        text += clear::AfterCursor.as_ref();
        let drawn = self
            .out
            .write_all(text.as_bytes())
            .and_then(|()| self.out.flush());
        drawn.context("the terminal is gone")
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = write!(self.out, "{}", cursor::Show);
    }
}

/// As much as fits; names are ASCII, so that a character is a column.
fn cut(text: &str, width: usize) -> String {
    text.chars().take(width).collect()
}

fn key_of(pressed: Pressed) -> Option<Key> {
    match pressed {
        Pressed::Char('q') | Pressed::Ctrl('c') | Pressed::Esc => Some(Key::Quit),
        Pressed::Char('c') => Some(Key::Sort(Sort::Cpu)),
        Pressed::Char('m') => Some(Key::Sort(Sort::Memory)),
        Pressed::Char('n') => Some(Key::Sort(Sort::Name)),
        Pressed::Char(' ' | 'r') => Some(Key::Refresh),
        Pressed::Up | Pressed::Char('k') => Some(Key::Scroll(-1)),
        Pressed::Down | Pressed::Char('j') => Some(Key::Scroll(1)),
        Pressed::PageUp => Some(Key::Scroll(-PAGE)),
        Pressed::PageDown => Some(Key::Scroll(PAGE)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_scroll_and_quit() {
        assert_eq!(key_of(Pressed::Char('q')), Some(Key::Quit));
        assert_eq!(key_of(Pressed::Ctrl('c')), Some(Key::Quit));
        assert_eq!(key_of(Pressed::Char('c')), Some(Key::Sort(Sort::Cpu)));
        assert_eq!(key_of(Pressed::PageUp), Some(Key::Scroll(-PAGE)));
        assert_eq!(key_of(Pressed::Char('x')), None);
    }

    #[test]
    fn lines_are_cut_to_the_width() {
        assert_eq!(cut("abcdef", 4), "abcd");
        assert_eq!(cut("abc", 4), "abc");
    }
}
