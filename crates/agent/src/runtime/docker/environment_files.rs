//! Files of environment variables.
//!
//! Off AWS there is no S3: a folder of the machine stands for it, in which the object
//! `arn:aws:s3:::bucket/folder/file.env` is `bucket/folder/file.env`.

use std::path::{Component, Path, PathBuf};

use berth_agent_proto::task::Container;

use super::Inner;
use crate::runtime::{ErrorKind, RuntimeError};

/// The largest file that is read; ECS has no number, and its task definitions end at 64 KiB.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

impl Inner {
    /// The variables of the container's files, in order.
    pub(super) async fn read_environment_files(
        &self,
        container: &Container,
    ) -> Result<Vec<(String, String)>, RuntimeError> {
        let mut variables = Vec::new();
        for file in &container.environment_files {
            let failed = |detail: String| {
                RuntimeError::new(
                    ErrorKind::ResourceInitialization,
                    format!("failed to download env files: {}: {detail}", file.value),
                )
            };
            let Some(folder) = &self.settings.environment_files else {
                return Err(failed("this agent has no folder for them".to_owned()));
            };
            let path = place(folder, &file.value)
                .ok_or_else(|| failed("not the ARN of an S3 object".to_owned()))?;
            let about = tokio::fs::metadata(&path).await;
            let about = about.map_err(|error| failed(error.to_string()))?;
            if about.len() > FILE_BYTES_MAX {
                return Err(failed(format!("larger than {FILE_BYTES_MAX} bytes")));
            }
            let text = tokio::fs::read_to_string(&path).await;
            let text = text.map_err(|error| failed(error.to_string()))?;
            variables.extend(parse(&text));
        }
        Ok(variables)
    }
}

/// Where the object is in the folder that stands for S3.
fn place(folder: &Path, arn: &str) -> Option<PathBuf> {
    let mut parts = arn.splitn(6, ':');
    let prefix = (
        parts.next()?,
        parts.next()?,
        parts.next()?,
        parts.next()?,
        parts.next()?,
    );
    let (("arn", partition, "s3", "", ""), object) = (prefix, parts.next()?) else {
        return None;
    };
    let plain = |component| matches!(component, Component::Normal(_));
    let inside = Path::new(object).components().all(plain);
    (partition.starts_with("aws") && object.contains('/') && inside).then(|| folder.join(object))
}

/// `NAME=value` lines. Empty lines, lines that begin with `#` and lines without `=` or without
/// a name are passed over, and values are taken as they are, quotes and all, as ECS does.
fn parse(text: &str) -> impl Iterator<Item = (String, String)> {
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once('='));
    pairs
        .map(|(name, value)| (name.trim().to_owned(), value.to_owned()))
        .filter(|(name, _)| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_a_file_below_the_folder_and_nowhere_else() {
        let place = |arn| place(Path::new("/env"), arn);
        assert_eq!(
            place("arn:aws:s3:::bucket/a/b.env"),
            Some(PathBuf::from("/env/bucket/a/b.env"))
        );
        for arn in [
            "arn:aws:s3:::bucket/../../etc/passwd",
            "arn:aws:s3:::/etc/passwd",
            "arn:aws:s3:::bucket",
            "arn:aws:sqs:::bucket/a",
            "/etc/passwd",
            "",
        ] {
            assert_eq!(place(arn), None, "{arn}");
        }
    }

    #[test]
    fn lines_are_taken_as_they_are() {
        let text = "# comment\nA=1\n\nB=\"x = y\"\nnothing\n=z\nC=\r\n";
        let pairs: Vec<_> = parse(text).collect();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            pairs,
            [pair("A", "1"), pair("B", "\"x = y\""), pair("C", "")]
        );
    }
}
