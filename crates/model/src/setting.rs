//! Account settings: what PutAccountSetting and PutAccountSettingDefault leave behind.

use serde::{Deserialize, Serialize};

use crate::name::Scope;
use crate::text::Text;

/// An explicit account setting of one principal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountSetting {
    /// The account and region.
    pub scope: Scope,
    /// Whose setting: a user's or role's ARN, or the account root's for the account's default.
    pub principal: Text,
    /// The setting's name, such as `containerInsights`.
    pub name: Text,
    /// The value, such as `enabled`.
    pub value: Text,
}
