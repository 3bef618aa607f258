//! Secrets in the database, sealed under a file that the servers share.
//!
//! A sealed secret is a format byte, a nonce and the ciphertext of XChaCha20-Poly1305, whose
//! nonces are long enough to be picked by chance. The secret's name is sealed along with it, so
//! that one cannot be passed off as another.

use std::path::Path;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use sqlx::PgPool;

use super::{SecretsError, fill_random, keyed_hash};
use crate::postgres::{open_pool, session_options};

/// A shorter shared secret could be guessed: 16 bytes are at most 128 bits.
const SECRET_FILE_BYTES_MIN: usize = 16;

/// More is a mistake, such as the path of a database.
const SECRET_FILE_BYTES_MAX: usize = 64 << 10;

/// Another form of sealing gets another number.
const FORMAT: u8 = 1;
const NONCE_BYTES: usize = 24;

/// The database's secrets.
pub(super) struct SealedRows {
    pool: PgPool,
    cipher: XChaCha20Poly1305,
}

impl SealedRows {
    pub(super) async fn open(url: &str, schema: &str, file: &Path) -> Result<Self, SecretsError> {
        let shared = read_secret_file(file)?;
        let key = keyed_hash(&shared, b"berth sealing key");
        Ok(Self {
            pool: connect(url, schema).await?,
            cipher: XChaCha20Poly1305::new(&key.into()),
        })
    }

    pub(super) async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, SecretsError> {
        let sealed: Option<Vec<u8>> =
            sqlx::query_scalar("SELECT sealed FROM secret WHERE name = $1")
                .bind(name)
                .fetch_optional(&self.pool)
                .await
                .map_err(cannot("read a secret"))?;
        sealed.map(|sealed| self.unseal(name, &sealed)).transpose()
    }

    /// Keeps a secret unless there is one of that name.
    pub(super) async fn put_first(&self, name: &str, secret: &[u8]) -> Result<(), SecretsError> {
        sqlx::query("INSERT INTO secret (name, sealed) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(name)
            .bind(self.seal(name, secret)?)
            .execute(&self.pool)
            .await
            .map_err(cannot("keep a secret"))?;
        Ok(())
    }

    fn seal(&self, name: &str, secret: &[u8]) -> Result<Vec<u8>, SecretsError> {
        let mut nonce = [0; NONCE_BYTES];
        fill_random(&mut nonce)?;
        let payload = Payload {
            msg: secret,
            aad: name.as_bytes(),
        };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|error| SecretsError::Unavailable {
            doing: "seal a secret",
            source: error.to_string().into(),
        })?;
        Ok([&[FORMAT][..], &nonce, &sealed].concat())
    }

    fn unseal(&self, name: &str, sealed: &[u8]) -> Result<Vec<u8>, SecretsError> {
        let refused = || SecretsError::Sealed {
            name: name.to_owned(),
        };
        let Some((&FORMAT, rest)) = sealed.split_first() else {
            return Err(refused());
        };
        let (nonce, sealed) = rest
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or_else(refused)?;
        let payload = Payload {
            msg: sealed,
            aad: name.as_bytes(),
        };
        self.cipher
            .decrypt(&XNonce::from(*nonce), payload)
            .map_err(|_| refused())
    }
}

async fn connect(url: &str, schema: &str) -> Result<PgPool, SecretsError> {
    let options = session_options(url, schema).map_err(SecretsError::Open)?;
    let pool = open_pool(options, schema, 1).await;
    pool.map_err(SecretsError::Open)
}

/// Refuses a database that holds sealed secrets, for a server that has no secret file.
pub(super) async fn must_be_empty(url: &str, schema: &str) -> Result<(), SecretsError> {
    let pool = connect(url, schema).await?;
    let sealed: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM secret)")
        .fetch_one(&pool)
        .await
        .map_err(cannot("ask the database for its secrets"))?;
    pool.close().await;
    match sealed {
        true => Err(SecretsError::SecretFile {
            what: "none was given, and the database holds secrets that are sealed under one".into(),
        }),
        false => Ok(()),
    }
}

fn read_secret_file(file: &Path) -> Result<Vec<u8>, SecretsError> {
    let refuse = |what: String| SecretsError::SecretFile { what };
    let shared =
        std::fs::read(file).map_err(|error| refuse(format!("{}: {error}", file.display())))?;
    // An editor's line end is not part of the secret.
    let shared = shared.trim_ascii_end();
    if !(SECRET_FILE_BYTES_MIN..=SECRET_FILE_BYTES_MAX).contains(&shared.len()) {
        return Err(refuse(format!(
            "{} holds {} bytes, and must hold {SECRET_FILE_BYTES_MIN} to {SECRET_FILE_BYTES_MAX}",
            file.display(),
            shared.len()
        )));
    }
    Ok(shared.to_owned())
}

fn cannot(doing: &'static str) -> impl Fn(sqlx::Error) -> SecretsError {
    move |error| SecretsError::Unavailable {
        doing,
        source: error.into(),
    }
}
