//! Certificates made for a test.

use std::path::Path;
use std::process::Command;

/// Makes an authority (`ca.pem`, `ca.key`) and by it a certificate of the server at 127.0.0.1
/// (`leaf.pem`, `leaf.key`) in `folder`.
pub fn make_certificates(folder: &Path) {
    const KEY: &str = "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(
        folder,
        &format!("{KEY} -x509 -subj /CN=tests -keyout ca.key -out ca.pem"),
    );
    openssl(
        folder,
        &format!("{KEY} -subj /CN=server -keyout leaf.key -out leaf.csr"),
    );
    let names = "subjectAltName=IP:127.0.0.1\n";
    std::fs::write(folder.join("names"), names).expect("a file can be written");
    openssl(
        folder,
        "x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile names \
         -out leaf.pem",
    );
}

fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl")
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .output()
        .expect("openssl is part of every Debian");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {arguments}: {said}");
}
