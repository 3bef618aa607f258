//! Exit codes: what a supervisor may conclude from the end of the process.

use std::fmt;
use std::process::ExitCode;

/// Why a command ended without success.
#[derive(Debug)]
pub(crate) enum Failure {
    /// 1: trying again may help.
    Retry(anyhow::Error),
    /// 2: the command makes no sense as given.
    Usage(anyhow::Error),
    /// 3: the data is newer than this program, or damaged. Trying again does not help.
    Data(anyhow::Error),
    /// 4: another process has the address or the data directory.
    InUse(anyhow::Error),
}

impl Failure {
    /// The code of the contract.
    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Retry(_) => 1,
            Self::Usage(_) => 2,
            Self::Data(_) => 3,
            Self::InUse(_) => 4,
        })
    }
}

/// One line with the whole chain of causes.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Retry(error) | Self::Usage(error) | Self::Data(error) | Self::InUse(error)) =
            self;
        write!(f, "{error:#}")
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Retry(error)
    }
}
