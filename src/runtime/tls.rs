//! TLS without I/O of its own: bytes from the socket in, bytes for the socket out. The only door to rustls.
//!
//! The buffered interface of rustls is used: mature, and its copies are small beside the cost of a record. The face
//! towards the rest is narrow so that another one can take its place.

use std::io::{self, BufRead, Read, Write};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig};

use crate::base::{Secret, hash};
use crate::policy::model::{ClientTls, Roots};
use crate::runtime::secrets;

/// One side of a TLS connection.
#[derive(Debug)]
pub(super) struct Session {
    connection: Connection,
}

impl Session {
    /// A session that will prove to us that the peer is `host`.
    ///
    /// # Errors
    /// `host` is neither a DNS name nor an address.
    pub(super) fn client(config: &Arc<ClientConfig>, host: &str) -> io::Result<Self> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let connection =
            ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        Ok(Self::new(Connection::Client(connection)))
    }

    /// A session in which we prove our name to a client.
    ///
    /// # Errors
    /// rustls refuses the configuration.
    pub(super) fn server(config: &Arc<ServerConfig>) -> io::Result<Self> {
        let connection =
            rustls::ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
        Ok(Self::new(Connection::Server(connection)))
    }

    fn new(mut connection: Connection) -> Self {
        // A whole buffered answer is handed over at once; the caller sends what comes out before the next.
        connection.set_buffer_limit(None);
        Self { connection }
    }

    /// Whether the handshake is still under way.
    pub(super) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Takes bytes from the socket; all of them.
    ///
    /// # Errors
    /// The peer broke the protocol or did not prove its name. What [`Session::outgoing`] then gives is the alert.
    pub(super) fn incoming(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.connection.read_tls(&mut bytes)? == 0 {
                return Ok(());
            }
            self.connection
                .process_new_packets()
                .map_err(io::Error::other)?;
        }
        Ok(())
    }

    /// Appends what the socket has to send to `out`.
    ///
    /// # Errors
    /// None in practice: writing to memory does not fail.
    pub(super) fn outgoing(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        while self.connection.wants_write() {
            self.connection.write_tls(out)?;
        }
        Ok(())
    }

    /// Appends decrypted bytes to `into`, at most as many as fit its spare capacity. `None`: more must come first;
    /// `Some(0)`: the peer ended its direction properly.
    ///
    /// # Errors
    /// The connection is broken.
    pub(super) fn read(&mut self, into: &mut Vec<u8>) -> io::Result<Option<usize>> {
        let mut reader = self.connection.reader();
        let available = match reader.fill_buf() {
            Ok(available) => available,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        };
        let count = available
            .len()
            .min(into.capacity().saturating_sub(into.len()));
        into.extend_from_slice(available.get(..count).unwrap_or_default());
        reader.consume(count);
        Ok(Some(count))
    }

    /// The decrypted bytes that come next, and stay; none where more must come first.
    ///
    /// # Errors
    /// The connection is broken.
    pub(super) fn peek(&mut self) -> io::Result<&[u8]> {
        match self.connection.reader().into_first_chunk() {
            Ok(bytes) => Ok(bytes),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(&[]),
            Err(error) => Err(error),
        }
    }

    /// Encrypts all of `bytes`.
    ///
    /// # Errors
    /// The connection is closed.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.connection.writer().write_all(bytes)
    }

    /// Says goodbye, so that the peer can tell an end from a cut.
    pub(super) fn close(&mut self) {
        self.connection.send_close_notify();
    }

    /// Whether nothing decrypted is waiting: an idle pooled connection with something to say is not idle.
    pub(super) fn is_quiet(&mut self) -> bool {
        let mut probe = [0_u8; 1];
        matches!(
            self.connection.reader().read(&mut probe),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock
        )
    }
}

/// How a provider's certificate is checked. Two are equal that check alike.
#[derive(Debug)]
pub(super) struct ClientProfile {
    only_tls13: bool,
    /// Of all certificate authorities.
    roots: u64,
    pub(super) config: Arc<ClientConfig>,
}

impl PartialEq for ClientProfile {
    fn eq(&self, other: &Self) -> bool {
        (self.only_tls13, self.roots) == (other.only_tls13, other.roots)
    }
}

impl ClientProfile {
    /// As the policy says. Reads the authorities.
    ///
    /// # Errors
    /// A CA file that cannot be read or holds no certificate; the sentence names it.
    pub(super) fn new(tls: &ClientTls) -> Result<Self, String> {
        let roots = roots(&tls.roots)?;
        let fingerprint = roots.roots.iter().fold(0, |hash, anchor| {
            let hash = hash::of_bytes(hash, &anchor.subject);
            hash::of_bytes(hash, &anchor.subject_public_key_info)
        });
        Ok(Self {
            only_tls13: tls.only_tls13,
            roots: fingerprint,
            config: client_config(tls, roots)?,
        })
    }
}

fn client_config(tls: &ClientTls, roots: RootCertStore) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions: &[&rustls::SupportedProtocolVersion] = if tls.only_tls13 {
        &[&rustls::version::TLS13]
    } else {
        &[&rustls::version::TLS13, &rustls::version::TLS12]
    };
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .map_err(|error| format!("the certificate authorities cannot be used: {error}"))?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(|error| format!("the TLS versions cannot be used: {error}"))?
        .with_webpki_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn roots(roots: &Roots) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    match roots {
        Roots::Bundled => store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Roots::System => {
            let found = rustls_native_certs::load_native_certs();
            store.add_parsable_certificates(found.certs);
            if store.is_empty() {
                return Err(
                    "`ca = system`: this machine has no certificate authorities; install \
                            them (`ca-certificates`) or leave `ca` out to use the bundled ones"
                        .to_owned(),
                );
            }
        }
        Roots::File(path) => {
            let pem = secrets::read_file(path)
                .map_err(|error| format!("`ca = file(\"{path}\")` cannot be read: {error}"))?;
            for certificate in CertificateDer::pem_slice_iter(pem.expose()) {
                let certificate = certificate
                    .map_err(|error| format!("`ca = file(\"{path}\")` is not PEM: {error}"))?;
                store
                    .add(certificate)
                    .map_err(|error| format!("`ca = file(\"{path}\")`: {error}"))?;
            }
            if store.is_empty() {
                return Err(format!("`ca = file(\"{path}\")` holds no certificate"));
            }
        }
    }
    Ok(store)
}

/// How we prove our name to clients, and what it was made from.
#[derive(Debug)]
pub(super) struct ServerProfile {
    cert: Secret,
    key: Secret,
    pub(super) config: Arc<ServerConfig>,
}

impl ServerProfile {
    /// From a chain of certificates and a key, both PEM.
    ///
    /// # Errors
    /// One of them is not PEM, or they do not belong together.
    pub(super) fn new(cert: Secret, key: Secret) -> Result<Self, String> {
        let config = server_config(&cert, &key)?;
        Ok(Self { cert, key, config })
    }

    /// Whether it is of this certificate and key.
    pub(super) fn is_of(&self, cert: &Secret, key: &Secret) -> bool {
        self.cert.expose() == cert.expose() && self.key.expose() == key.expose()
    }
}

fn server_config(cert: &Secret, key: &Secret) -> Result<Arc<ServerConfig>, String> {
    let chain = CertificateDer::pem_slice_iter(cert.expose())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| format!("`server {{ tls {{ cert }} }}` is not PEM: {error}"))?;
    if chain.is_empty() {
        return Err("`server { tls { cert } }` holds no certificate".to_owned());
    }
    // The parser's error could quote the key: it is not shown.
    let key = PrivateKeyDer::from_pem_slice(key.expose())
        .map_err(|_| "`server { tls { key } }` holds no private key in PEM".to_owned())?;
    let mut config =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("the TLS versions cannot be used: {error}"))?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| {
                format!("`server {{ tls }}`: certificate and key cannot be used: {error}")
            })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
