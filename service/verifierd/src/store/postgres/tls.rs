// SPDX-License-Identifier: Apache-2.0 OR MIT
//! TLS to PostgreSQL, where the address asks for it (PostgreSQL documentation, "SSL Support").
//!
//! | `sslmode` | |
//! |---|---|
//! | `disable`, and without one | no TLS |
//! | `require` | TLS; whoever answers is taken for the server |
//! | `verify-full` | TLS; the server shows a certificate for its name by a CA in `sslrootcert` |

use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres::{Client, Config, NoTls};
use tokio_rustls::TlsConnector;

use super::parameters::Parameters;
use crate::server_identity::{Accepted, ServerIdentity};
use crate::store::StoreError;

/// Where the database is, and how it is spoken to.
#[derive(Debug, Clone)]
pub(super) struct Address {
    config: Config,
    tls: Option<Tls>,
}

impl Address {
    /// Reads `host=… sslmode=…` or `postgresql://…?sslmode=…`.
    pub(super) fn parse(text: &str) -> Result<Self, StoreError> {
        let wrong = |error: String| StoreError::Database(format!("the address: {error}"));
        let Parameters { rest, mode, root } = Parameters::take(text).map_err(wrong)?;
        let mut config: Config = rest.parse().map_err(|error| wrong(format!("{error}")))?;
        let tls = match (mode.as_deref(), root) {
            (None | Some("disable"), None) => None,
            (Some("require"), None) => Some(Tls::to_anybody().map_err(wrong)?),
            (Some("verify-full"), Some(root)) => Some(Tls::trusting(Path::new(&root)).map_err(wrong)?),
            (Some("verify-full"), None) => return Err(wrong("sslmode=verify-full needs sslrootcert=FILE".into())),
            (None | Some("disable" | "require"), Some(_)) => {
                return Err(wrong("sslrootcert counts with sslmode=verify-full alone".into()));
            }
            (Some(other), _) => {
                return Err(wrong(format!("sslmode={other} is none of disable, require, verify-full")));
            }
        };
        config.ssl_mode(if tls.is_some() { SslMode::Require } else { SslMode::Disable });
        Ok(Address { config, tls })
    }

    /// Opens a connection.
    pub(super) async fn connect(&self) -> Result<Client, StoreError> {
        // A connection that breaks shows in the next request on it.
        match &self.tls {
            Some(tls) => {
                let (client, connection) = self.config.connect(tls.clone()).await?;
                tokio::spawn(async move { drop(connection.await) });
                Ok(client)
            }
            None => {
                let (client, connection) = self.config.connect(NoTls).await?;
                tokio::spawn(async move { drop(connection.await) });
                Ok(client)
            }
        }
    }
}

/// How the server has to show who it is.
#[derive(Debug, Clone)]
struct Tls(Arc<ClientConfig>);

impl Tls {
    fn trusting(root: &Path) -> Result<Self, String> {
        let config = crate::tls::trusting(root).map_err(|error| format!("sslrootcert: {error:#}"))?;
        Ok(Tls(Arc::new(config)))
    }

    fn to_anybody() -> Result<Self, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let verifier = ServerIdentity::new(Accepted::Any, provider);
        let config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
        Ok(Tls(Arc::new(config)))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> MakeTlsConnect<S> for Tls {
    type Stream = Stream<S>;
    type TlsConnect = Named;
    type Error = rustls::pki_types::InvalidDnsNameError;

    fn make_tls_connect(&mut self, host: &str) -> Result<Named, Self::Error> {
        Ok(Named { tls: self.clone(), name: ServerName::try_from(host.to_owned())? })
    }
}

/// A connection that is to be opened to the server of this name.
#[derive(Debug)]
struct Named {
    tls: Tls,
    name: ServerName<'static>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsConnect<S> for Named {
    type Stream = Stream<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Stream<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move { TlsConnector::from(self.tls.0).connect(self.name, stream).await.map(Stream) })
    }
}

/// An encrypted connection.
#[derive(Debug)]
struct Stream<S>(tokio_rustls::client::TlsStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Stream<S> {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_that_promises_what_is_not_there_is_refused() {
        for (address, reason) in [
            ("host=db sslmode=verify-full", "needs sslrootcert"),
            ("host=db sslmode=verify-ca", "none of disable, require, verify-full"),
            ("host=db sslmode=prefer", "none of disable, require, verify-full"),
            ("host=db sslrootcert=/ca.pem", "verify-full alone"),
            ("postgresql://db/evtpm?sslmode=verify-full&sslrootcert=%2Fnowhere%2Fca.pem", "/nowhere/ca.pem"),
        ] {
            let error = Address::parse(address).unwrap_err().to_string();
            assert!(error.contains(reason), "{address}: {error}");
        }
    }

    #[test]
    fn without_a_mode_there_is_no_tls_and_never_a_half() {
        let mode = |address| Address::parse(address).unwrap().config.get_ssl_mode();
        assert_eq!(mode("host=/run/postgresql user=evtpm"), SslMode::Disable);
        assert_eq!(mode("postgresql://db/evtpm?sslmode=disable"), SslMode::Disable);
        assert_eq!(mode("postgresql://db/evtpm?sslmode=require&application_name=a"), SslMode::Require);
    }
}
