//! How connections are encrypted, and what is asked of the server's certificate: `ssl-mode`, with the
//! meaning that it has for every other client of MySQL and MariaDB.

use std::path::PathBuf;

use mysql_async as driver;
use taskstore_core::Result;

/// What is asked of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// No encryption.
    Never,
    /// Encryption where the server can, of whichever certificate.
    IfItCan,
    /// Encryption, of whichever certificate.
    Always,
    /// And a certificate of a known authority that names the host.
    Named,
}

impl Ask {
    /// What `ssl-mode` says; `None`: no such word.
    pub(crate) fn read(word: &str) -> Option<Self> {
        Some(match word.to_ascii_lowercase().as_str() {
            "disabled" => Self::Never,
            "preferred" => Self::IfItCan,
            "required" => Self::Always,
            "verify_identity" => Self::Named,
            _ => return None,
        })
    }
}

/// How connections are encrypted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tls {
    /// What was asked for, if anything was.
    pub(crate) asked: Option<Ask>,
    /// A file of authorities; `None`: those of the system.
    pub(crate) authorities: Option<PathBuf>,
}

impl Tls {
    /// What is asked for. Whoever names authorities wants them to be believed, and no others.
    const fn ask(&self) -> Ask {
        match (self.asked, &self.authorities) {
            (Some(ask), _) => ask,
            (None, Some(_)) => Ask::Named,
            (None, None) => Ask::IfItCan,
        }
    }

    /// Whether this build can do what is asked.
    pub(crate) const fn can_be_had(&self) -> bool {
        cfg!(feature = "tls") || matches!(self.ask(), Ask::Never | Ask::IfItCan)
    }

    /// Whether a connection that is not encrypted will do.
    pub(crate) const fn may_be_plain(&self) -> bool {
        matches!(self.ask(), Ask::Never | Ask::IfItCan)
    }

    /// What the driver is told; `None`: not to encrypt.
    ///
    /// # Errors
    /// [`Invalid`](taskstore_core::Error::Invalid) that names `url`: there are no authorities, or
    /// they cannot be read.
    #[cfg(not(feature = "tls"))]
    #[allow(clippy::unnecessary_wraps, reason = "it can fail where there is TLS")]
    pub(crate) const fn options(&self) -> Result<Option<driver::SslOpts>> {
        Ok(None)
    }

    /// What the driver is told; `None`: not to encrypt.
    ///
    /// # Errors
    /// [`Invalid`](taskstore_core::Error::Invalid) that names `url`: there are no authorities, or
    /// they cannot be read.
    #[cfg(feature = "tls")]
    pub(crate) fn options(&self) -> Result<Option<driver::SslOpts>> {
        if self.ask() == Ask::Never {
            return Ok(None);
        }
        // The driver asks the process for its cryptography, and panics where several are linked and
        // none was chosen. Whoever has chosen keeps what he chose.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let options = driver::SslOpts::default();
        if self.ask() != Ask::Named {
            return Ok(Some(options.with_danger_accept_invalid_certs(true)));
        }
        let believed = authorities::read(self.authorities.as_deref())?;
        Ok(Some(
            options
                .with_root_certs(believed.into_iter().map(Into::into).collect())
                .with_disable_built_in_roots(true),
        ))
    }
}

#[cfg(feature = "tls")]
mod authorities {
    //! Whose certificates are believed.

    use std::path::Path;

    use rustls::{
        RootCertStore,
        pki_types::{CertificateDer, pem::PemObject},
    };
    use taskstore_core::{Error, Result};

    /// Those in the file, or else those of the system, as DER.
    pub(super) fn read(file: Option<&Path>) -> Result<Vec<Vec<u8>>> {
        let Some(file) = file else {
            // Some systems have one or the other that nobody can read.
            let mut found = rustls_native_certs::load_native_certs().certs;
            found.retain(|certificate| RootCertStore::empty().add(certificate.clone()).is_ok());
            return if found.is_empty() {
                Err(invalid("this system has no authorities; name a file with ssl-ca"))
            } else {
                Ok(found.iter().map(|certificate| certificate.to_vec()).collect())
            };
        };
        let unreadable = |why: String| invalid(format!("ssl-ca cannot be read: {why}"));
        let all = CertificateDer::pem_file_iter(file).map_err(|e| unreadable(e.to_string()))?;
        let all: Vec<_> =
            all.collect::<Result<_, _>>().map_err(|error| unreadable(error.to_string()))?;
        if all.is_empty() {
            return Err(unreadable("it holds no certificate".to_owned()));
        }
        Ok(all.iter().map(|certificate| certificate.to_vec()).collect())
    }

    fn invalid(reason: impl Into<String>) -> Error {
        Error::invalid("url", reason)
    }
}
