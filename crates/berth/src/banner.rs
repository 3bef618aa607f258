//! What a server says of itself when it is ready, on standard error.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

/// What there is to say.
pub(crate) struct Banner<'a> {
    /// `dev` or `serve`.
    pub(crate) command: &'a str,
    /// Where clients on this machine reach it.
    pub(crate) url: &'a str,
    /// Where it listens.
    pub(crate) listen: SocketAddr,
    /// Whether it speaks TLS.
    pub(crate) tls: bool,
    /// Where it keeps its things.
    pub(crate) data: &'a Path,
    /// The file under which its access key is sealed in the database.
    pub(crate) secret_file: Option<&'a Path>,
}

impl Banner<'_> {
    /// The text, which ends with a line end.
    pub(crate) fn text(&self) -> String {
        let data = self.data.display();
        let mut text = format!(
            "\nBerth {} is ready.\n\n  endpoint  {}\n  data      {data}\n\n",
            env!("CARGO_PKG_VERSION"),
            self.url
        );
        let mut env = format!("berth env --data-dir {data}");
        if let Some(file) = self.secret_file {
            let _ = write!(env, " --secret-file {}", file.display());
        }
        let _ = writeln!(text, "Point AWS clients at it:\n\n  eval $({env})\n");
        if self.secret_file.is_some() {
            let _ = writeln!(
                text,
                "where BERTH_DATABASE_URL says which database the server's keys are in,\n"
            );
        }
        let _ = writeln!(
            text,
            "or name it each time:\n\n  aws ecs list-clusters --endpoint-url {}\n",
            self.url
        );
        if !self.listen.ip().is_loopback() && !self.tls {
            let who = match self.command {
                "dev" => "everybody who reaches it is let in",
                _ => "secrets in requests and answers can be read on the way",
            };
            let _ = writeln!(
                text,
                "WARNING: open to the network at {} without TLS: {who}.\n",
                self.listen
            );
        }
        text
    }
}

/// The URL by which clients on this machine reach an address: an address that stands for all is
/// no place to connect to.
pub(crate) fn url_of(listen: SocketAddr, tls: bool) -> String {
    let scheme = if tls { "https" } else { "http" };
    match listen.ip().is_unspecified() {
        true => format!("{scheme}://127.0.0.1:{}", listen.port()),
        false => format!("{scheme}://{listen}"),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn banner(listen: &str, tls: bool, command: &str) -> String {
        let listen: SocketAddr = listen.parse().unwrap();
        Banner {
            command,
            url: &url_of(listen, tls),
            listen,
            tls,
            data: Path::new("/data"),
            secret_file: None,
        }
        .text()
        .replace(env!("CARGO_PKG_VERSION"), "VERSION")
    }

    #[test]
    fn it_names_endpoint_data_exports_and_an_example() {
        expect![[r#"

            Berth VERSION is ready.

              endpoint  http://127.0.0.1:7070
              data      /data

            Point AWS clients at it:

              eval $(berth env --data-dir /data)

            or name it each time:

              aws ecs list-clusters --endpoint-url http://127.0.0.1:7070

        "#]]
        .assert_eq(&banner("127.0.0.1:7070", false, "dev"));
    }

    #[test]
    fn it_warns_when_open_to_the_network_without_tls() {
        assert!(banner("0.0.0.0:7070", false, "serve").contains("WARNING"));
        assert!(banner("192.0.2.1:7070", false, "dev").contains("everybody"));
        assert!(!banner("0.0.0.0:7070", true, "serve").contains("WARNING"));
        assert!(!banner("[::1]:7070", false, "dev").contains("WARNING"));
    }

    #[test]
    fn an_address_for_all_is_reached_over_loopback() {
        assert_eq!(
            url_of("0.0.0.0:1".parse().unwrap(), false),
            "http://127.0.0.1:1"
        );
        assert_eq!(url_of("[::1]:1".parse().unwrap(), true), "https://[::1]:1");
    }
}
