// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One HTTP connection to somebody else: an agent that is asked, a receiver of events.

use std::sync::Arc;

use anyhow::Result;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

/// An open connection, closed when it is dropped.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    task: JoinHandle<Result<(), hyper::Error>>,
}

impl Connection {
    /// Connects, over TLS where there is a configuration for it.
    pub(crate) async fn open(host: &str, port: u16, tls: Option<Arc<ClientConfig>>) -> Result<Self> {
        let stream = TcpStream::connect((host, port)).await?;
        match tls {
            None => Self::over(stream).await,
            Some(tls) => {
                let name = ServerName::try_from(host.to_owned())?;
                Self::over(TlsConnector::from(tls).connect(name, stream).await?).await
            }
        }
    }

    async fn over<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S) -> Result<Self> {
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        // The connection's end is seen by the request on it.
        Ok(Connection { sender, task: tokio::spawn(connection) })
    }

    /// Sends a request, and returns the answer's head; its body is read while the connection lives.
    pub(crate) async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>> {
        Ok(self.sender.send_request(request).await?)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}
