//! Pages of a list (reference §1.4).

use berth_api::ecs::Fault;

use crate::context::Context;
use crate::error::ApiError;

/// How many items a page of most lists may have, and has when the request does not say.
pub(crate) const PAGE_MAX: usize = 100;
/// The same for the lists that AWS keeps short.
pub(crate) const SHORT_PAGE_MAX: usize = 10;

/// Which page of a list a request wants.
pub(crate) struct Page {
    /// The operation with everything that must stay the same from page to page.
    list: String,
    size: usize,
    /// The position of the last item of the page before.
    pub(crate) after: Option<String>,
}

impl Page {
    /// Reads `maxResults` and `nextToken`. `list` names the operation and everything that must
    /// stay the same from page to page: account, region, filters.
    ///
    /// # Errors
    /// InvalidParameterException for a size out of range, or a token that was made for another
    /// list or not by us.
    pub(crate) fn of_request(
        cx: &Context,
        list: String,
        size_max: usize,
        max_results: Option<i32>,
        next_token: Option<&str>,
    ) -> Result<Self, ApiError> {
        let invalid = |text: String| ApiError::client(Fault::InvalidParameter, text);
        let size = match max_results {
            None => size_max,
            Some(wanted) => usize::try_from(wanted)
                .ok()
                .filter(|size| (1..=size_max).contains(size))
                .ok_or_else(|| invalid(format!("maxResults must be between 1 and {size_max}.")))?,
        };
        // Some clients send an empty token for the first page.
        let token = next_token.filter(|token| !token.is_empty());
        let after = token
            .map(|token| {
                let position = cx.pages.read(&list, token);
                position.ok_or_else(|| invalid("Invalid token.".into()))
            })
            .transpose()?;
        Ok(Self { list, size, after })
    }

    /// The items of this page, and the token of the next one. `items` begin after
    /// [`Page::after`]; `position` says where an item stands.
    pub(crate) fn cut<T>(
        &self,
        cx: &Context,
        items: impl Iterator<Item = T>,
        position: impl Fn(&T) -> String,
    ) -> (Vec<T>, Option<String>) {
        let mut page: Vec<T> = items.take(self.size + 1).collect();
        if page.len() <= self.size {
            return (page, None);
        }
        page.truncate(self.size);
        let last = page.last().map(&position);
        let token = last.map(|last| cx.pages.make(&self.list, &last));
        (page, token)
    }
}
