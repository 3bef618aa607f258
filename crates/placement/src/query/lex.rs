//! The text of an expression, cut into pieces as the parser asks for them.
//!
//! What ends a word depends on where it stands: `a=b` is one argument, but as a subject it ends
//! before the `=`. So there is no list of tokens; the parser says what it wants next.

/// A place in the text of an expression.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    rest: &'a str,
}

/// The quote that a text was begun with and that never came again.
#[derive(Debug)]
pub(super) struct Unclosed;

impl<'a> Cursor<'a> {
    pub(super) fn new(raw: &'a str) -> Self {
        Self {
            rest: raw.trim_start(),
        }
    }

    /// What is left, for messages.
    pub(super) fn rest(&self) -> &'a str {
        self.rest
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    fn skip(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest.trim_start();
        taken
    }

    /// Takes `symbol` if it comes next.
    pub(super) fn symbol(&mut self, symbol: &str) -> bool {
        let found = self.rest.starts_with(symbol);
        if found {
            self.skip(symbol.len());
        }
        found
    }

    /// Takes `keyword` if it comes next and the word ends with it.
    pub(super) fn keyword(&mut self, keyword: &str) -> bool {
        let goes_on = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | ':' | '.' | '/');
        let found = self
            .rest
            .strip_prefix(keyword)
            .is_some_and(|after| !after.starts_with(goes_on));
        if found {
            self.skip(keyword.len());
        }
        found
    }

    /// Takes the word up to where a subject ends: at a space, a bracket or an operator's sign.
    pub(super) fn subject(&mut self) -> &'a str {
        let ends = |c: char| c.is_whitespace() || "()[],'\"=!<>&|".contains(c);
        let end = self.rest.find(ends).unwrap_or(self.rest.len());
        self.skip(end)
    }

    /// Takes an argument: quoted text, or a word up to a space, a parenthesis, `&&` or `||`.
    pub(super) fn argument(&mut self) -> Result<&'a str, Unclosed> {
        self.literal(|c| c.is_whitespace() || matches!(c, '(' | ')'))
    }

    /// Takes an argument of a list, which a comma or a square bracket ends too.
    pub(super) fn list_argument(&mut self) -> Result<&'a str, Unclosed> {
        self.literal(|c| c.is_whitespace() || matches!(c, '(' | ')' | '[' | ']' | ','))
    }

    fn literal(&mut self, ends: impl Fn(char) -> bool) -> Result<&'a str, Unclosed> {
        if let Some(quote) = self.rest.chars().next().filter(|c| matches!(c, '\'' | '"')) {
            let inner = &self.rest[1..];
            let end = inner.find(quote).ok_or(Unclosed)?;
            self.skip(end + 2);
            return Ok(&inner[..end]);
        }
        let joins =
            |at: usize| self.rest[at..].starts_with("&&") || self.rest[at..].starts_with("||");
        let end = self
            .rest
            .char_indices()
            .find(|(at, c)| ends(*c) || joins(*at))
            .map_or(self.rest.len(), |(at, _)| at);
        Ok(self.skip(end))
    }
}
