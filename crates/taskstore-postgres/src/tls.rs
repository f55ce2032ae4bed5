//! How connections are encrypted, and what is asked of the server's certificate: `sslmode`, with the
//! meaning that it has for every other client of PostgreSQL.

use std::path::PathBuf;

use taskstore_core::Result;
use tokio_postgres::config::SslMode;

/// What is asked of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Ask {
    /// No encryption.
    Never,
    /// Encryption where the server can, of whichever certificate.
    #[default]
    IfItCan,
    /// Encryption, of whichever certificate; of a known authority once one is named.
    Always,
    /// And a certificate of a known authority.
    Known,
    /// And one that names the host.
    Named,
}

/// How connections are encrypted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tls {
    pub(crate) ask: Ask,
    /// A file of authorities; `None`: those of the system.
    pub(crate) authorities: Option<PathBuf>,
}

impl Ask {
    /// What `sslmode` says; `None`: no such word.
    pub(crate) fn read(word: &str) -> Option<Self> {
        Some(match word {
            "disable" => Self::Never,
            "allow" | "prefer" => Self::IfItCan,
            "require" => Self::Always,
            "verify-ca" => Self::Known,
            "verify-full" => Self::Named,
            _ => return None,
        })
    }

    /// Whether a connection without encryption will not do.
    pub(crate) const fn insists(self) -> bool {
        matches!(self, Self::Always | Self::Known | Self::Named)
    }

    /// What the driver asks the server for.
    pub(crate) const fn driver(self) -> SslMode {
        match self {
            Self::Never => SslMode::Disable,
            Self::IfItCan => SslMode::Prefer,
            Self::Always | Self::Known | Self::Named => SslMode::Require,
        }
    }
}

/// What makes encrypted connections.
#[cfg(feature = "tls")]
pub(crate) type Connector = tokio_postgres_rustls::MakeRustlsConnect;
#[cfg(not(feature = "tls"))]
pub(crate) type Connector = tokio_postgres::NoTls;

impl Tls {
    /// Whether this build can do what is asked.
    pub(crate) const fn can_be_had(&self) -> bool {
        cfg!(feature = "tls") || !self.ask.insists()
    }

    /// What the driver asks the server for.
    pub(crate) const fn mode(&self) -> SslMode {
        if cfg!(feature = "tls") { self.ask.driver() } else { SslMode::Disable }
    }

    /// # Errors
    /// [`Invalid`](taskstore_core::Error::Invalid) that names `url`: the authorities cannot be read.
    #[cfg(not(feature = "tls"))]
    #[allow(clippy::unnecessary_wraps, reason = "it can fail where there is TLS")]
    pub(crate) const fn connector(&self) -> Result<Connector> {
        Ok(tokio_postgres::NoTls)
    }

    /// # Errors
    /// [`Invalid`](taskstore_core::Error::Invalid) that names `url`: the authorities cannot be read.
    #[cfg(feature = "tls")]
    pub(crate) fn connector(&self) -> Result<Connector> {
        Ok(tokio_postgres_rustls::MakeRustlsConnect::new(verify::config(self)?))
    }
}

#[cfg(feature = "tls")]
mod verify {
    //! What rustls is told to believe.

    use std::sync::Arc;

    use rustls::{
        CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
        client::{
            WebPkiServerVerifier,
            danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        },
        crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
        pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
    };
    use taskstore_core::{Error, Result};

    use super::{Ask, Tls};

    pub(super) fn config(tls: &Tls) -> Result<ClientConfig> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(Error::backend)?;
        // As for every client: `require` with a file of authorities believes no others.
        let believes_all =
            matches!(tls.ask, Ask::Never | Ask::IfItCan | Ask::Always) && tls.authorities.is_none();
        let chain = if believes_all {
            None
        } else {
            let roots = Arc::new(authorities(tls)?);
            let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider.clone());
            Some(verifier.build().map_err(|error| invalid(error.to_string()))?)
        };
        let named = tls.ask == Ask::Named;
        let verifier = Arc::new(Verifier { provider, chain, named });
        Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
    }

    fn authorities(tls: &Tls) -> Result<RootCertStore> {
        let mut roots = RootCertStore::empty();
        let Some(path) = &tls.authorities else {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            return if roots.is_empty() {
                Err(invalid("this system has no authorities; name a file with sslrootcert"))
            } else {
                Ok(roots)
            };
        };
        let unreadable = |why: String| invalid(format!("sslrootcert cannot be read: {why}"));
        let all = CertificateDer::pem_file_iter(path).map_err(|e| unreadable(e.to_string()))?;
        for certificate in all {
            let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
            roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(unreadable("it holds no certificate".to_owned()));
        }
        Ok(roots)
    }

    fn invalid(reason: impl Into<String>) -> Error {
        Error::invalid("url", reason)
    }

    /// Looks at the server's certificate as far as was asked. That the server has the certificate's
    /// key is seen to in every case.
    #[derive(Debug)]
    struct Verifier {
        provider: Arc<CryptoProvider>,
        /// `None`: any certificate will do.
        chain: Option<Arc<WebPkiServerVerifier>>,
        /// Whether it must name the host.
        named: bool,
    }

    impl ServerCertVerifier for Verifier {
        fn verify_server_cert(
            &self,
            end_entity: &CertificateDer<'_>,
            intermediates: &[CertificateDer<'_>],
            server_name: &ServerName<'_>,
            ocsp_response: &[u8],
            now: UnixTime,
        ) -> Result<ServerCertVerified, rustls::Error> {
            let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
            // The name is looked at last, so all else is well where only the name is wrong.
            match chain.verify_server_cert(
                end_entity,
                intermediates,
                server_name,
                ocsp_response,
                now,
            ) {
                Err(rustls::Error::InvalidCertificate(
                    CertificateError::NotValidForName
                    | CertificateError::NotValidForNameContext { .. },
                )) if !self.named => Ok(ServerCertVerified::assertion()),
                verdict => verdict,
            }
        }

        fn verify_tls12_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            let algorithms = &self.provider.signature_verification_algorithms;
            verify_tls12_signature(message, cert, signature, algorithms)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            let algorithms = &self.provider.signature_verification_algorithms;
            verify_tls13_signature(message, cert, signature, algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.provider.signature_verification_algorithms.supported_schemes()
        }
    }
}
