// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One HTTP/1.1 connection to somebody else, over TCP or TLS. How long one waits is for the caller to say.

use std::sync::Arc;

use anyhow::{Result, anyhow};
use http_body_util::{BodyExt, Full, Limited};
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
use tokio_rustls::client::TlsStream;

/// An open connection, closed when it is dropped.
#[derive(Debug)]
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    task: JoinHandle<Result<(), hyper::Error>>,
}

impl Connection {
    /// Connects, over TLS where there is a configuration for it.
    ///
    /// # Errors
    /// When nobody is there, or not who the configuration believes.
    pub async fn open(host: &str, port: u16, tls: Option<&Arc<ClientConfig>>) -> Result<Self> {
        let stream = connect(host, port).await?;
        match tls {
            None => Self::over(stream).await,
            Some(tls) => Self::over(secure(stream, host, tls).await?).await,
        }
    }

    /// Connects over TLS, and gives what binds a message to this connection: what its exporter makes of a label and of an
    /// empty context (RFC 8446, "Exporters").
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_bound<const N: usize>(
        host: &str,
        port: u16,
        tls: &Arc<ClientConfig>,
        label: &[u8],
    ) -> Result<(Self, [u8; N])> {
        let stream = secure(connect(host, port).await?, host, tls).await?;
        let binding = stream.get_ref().1.export_keying_material([0; N], label, Some(&[]))?;
        Ok((Self::over(stream).await?, binding))
    }

    async fn over<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S) -> Result<Self> {
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        // The connection's end is seen by the request on it.
        Ok(Connection { sender, task: tokio::spawn(connection) })
    }

    /// Sends a request, and returns the answer's head; its body ([`body`]) can be read while the connection lives.
    ///
    /// # Errors
    /// When the connection ends before.
    pub async fn send(&mut self, request: Request<impl Into<Bytes>>) -> Result<Response<Incoming>> {
        self.sender.ready().await?;
        Ok(self.sender.send_request(request.map(|body| Full::new(body.into()))).await?)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Reads the body of an answer, of `limit` bytes at most.
///
/// # Errors
/// When it is longer, or the connection ends before it does.
pub async fn body(answer: Response<Incoming>, limit: usize) -> Result<Bytes> {
    let body = Limited::new(answer.into_body(), limit).collect().await;
    Ok(body.map_err(|error| anyhow!("reading the answer: {error}"))?.to_bytes())
}

async fn connect(host: &str, port: u16) -> Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    // A request is written at once and then waited for.
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn secure(stream: TcpStream, host: &str, tls: &Arc<ClientConfig>) -> Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(host.to_owned())?;
    Ok(TlsConnector::from(tls.clone()).connect(name, stream).await?)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread::JoinHandle;

    use super::*;

    /// Answers one request with a body, then reads until the client is gone; returns what it heard.
    fn server(answer: &'static str) -> (u16, JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let serve = move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut heard = vec![0; 1024];
            let read = stream.read(&mut heard).unwrap();
            heard.truncate(read);
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", answer.len());
            stream.write_all((head + answer).as_bytes()).unwrap();
            stream.read_to_end(&mut heard).unwrap();
            String::from_utf8(heard).unwrap()
        };
        (port, std::thread::spawn(serve))
    }

    async fn ask(port: u16, limit: usize) -> Result<Bytes> {
        let mut connection = Connection::open("127.0.0.1", port, None).await?;
        let request =
            Request::builder().method("POST").uri("/path").header("host", "name").body(b"question".to_vec())?;
        body(connection.send(request).await?, limit).await
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap().block_on(future)
    }

    #[test]
    fn an_answer_may_be_as_long_as_its_limit_and_not_longer() {
        let (port, heard) = server("four");
        assert_eq!(run(ask(port, 4)).unwrap(), "four");
        let heard = heard.join().unwrap();
        assert!(heard.starts_with("POST /path HTTP/1.1\r\n") && heard.ends_with("\r\n\r\nquestion"), "{heard}");

        let (port, heard) = server("longer");
        let error = run(ask(port, 4)).unwrap_err().to_string();
        assert_eq!(error, "reading the answer: length limit exceeded");
        heard.join().unwrap();
    }

    #[test]
    fn a_connection_that_is_dropped_is_closed() {
        let (port, heard) = server("four");
        run(async move {
            let mut connection = Connection::open("127.0.0.1", port, None).await.unwrap();
            let request = Request::builder().uri("/").body(vec![]).unwrap();
            let answer = connection.send(request).await.unwrap();
            drop((answer, connection));
            // It hears the end while we go on.
            tokio::task::spawn_blocking(|| heard.join().unwrap()).await.unwrap();
        });
    }
}
