//! A proxy between a store and its server that fails as it is told to: what a test needs to prove that
//! a store gives up in time, tells the truth, and goes on afterwards.
//!
//! It knows nothing of what it carries, so that it fits before any server that is reached by TCP.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
};

/// What becomes of everything that is sent from now on, on connections that are there and on new ones.
/// What did not arrive is lost for good: [cut](Proxy::cut) before it is fair again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// It arrives.
    Fair,
    /// Nothing arrives, in either direction, and nobody is told: a cable that was pulled.
    Silence,
    /// Requests arrive and are done, and their answers are lost.
    NoAnswers,
    /// New connections are closed as soon as they are made: nobody listens. Those that are there go on.
    Refusal,
}

/// Which connections are interrupted, and how.
#[derive(Clone, Copy, Debug, Default)]
struct Interruptions {
    /// So often all of them were cut.
    cut: u64,
    /// So often all of them were half closed.
    half_closed: u64,
    /// So often all of them were forgotten.
    forgotten: u64,
}

#[derive(Clone, Copy, Debug)]
struct State {
    weather: Weather,
    server: SocketAddr,
    interruptions: Interruptions,
}

/// A port of this machine that leads to a server.
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// use taskstore_conformance::{Proxy, Weather};
///
/// let proxy = Proxy::before(([127, 0, 0, 1], 5432).into()).await?;
/// let url = format!("postgres://app@127.0.0.1:{}/app", proxy.port());
/// proxy.turn(Weather::Silence);
/// // .. every call on a store at this URL is an error by its deadline ..
/// proxy.turn(Weather::Fair);
/// proxy.cut();
/// # Ok(())
/// # }
/// ```
///
/// Dropping it cuts every connection.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    state: watch::Sender<State>,
    accepts: JoinHandle<()>,
}

impl Proxy {
    /// Opens a port that leads to this server.
    ///
    /// # Errors
    /// No port can be had.
    pub async fn before(server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let interruptions = Interruptions::default();
        let (state, seen) = watch::channel(State { weather: Weather::Fair, server, interruptions });
        let accepts = tokio::spawn(accept(listener, seen));
        Ok(Self { port, state, accepts })
    }

    /// The port, of the loopback.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// From now on this becomes of everything.
    pub fn turn(&self, weather: Weather) {
        self.state.send_modify(|state| state.weather = weather);
    }

    /// Closes every connection, in both directions. New ones are served.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.interruptions.cut += 1);
    }

    /// Tells the clients of all connections that the server has closed them, and the servers nothing: they
    /// keep what those sessions hold until they notice by themselves. New connections are served.
    pub fn half_close(&self) {
        self.state.send_modify(|state| state.interruptions.half_closed += 1);
    }

    /// Nothing arrives any more on any connection, and nobody is told: a router that has forgotten them. New
    /// connections are served.
    pub fn forget(&self) {
        self.state.send_modify(|state| state.interruptions.forgotten += 1);
    }

    /// New connections lead to this server.
    pub fn lead_to(&self, server: SocketAddr) {
        self.state.send_modify(|state| state.server = server);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepts.abort();
        self.cut();
    }
}

async fn accept(listener: TcpListener, state: watch::Receiver<State>) {
    while let Ok((client, _)) = listener.accept().await {
        // Marked as seen, so that an older cut does not meet this connection.
        let mut state = state.clone();
        let now = *state.borrow_and_update();
        if now.weather == Weather::Refusal {
            continue;
        }
        tokio::spawn(async move {
            let Ok(server) = TcpStream::connect(now.server).await else { return };
            // Small answers must not wait for more.
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            let (client, server) = (client.into_split(), server.into_split());
            tokio::join!(
                pump(client.0, server.1, state.clone(), Direction::Requests, now.interruptions),
                pump(server.0, client.1, state, Direction::Answers, now.interruptions),
            );
        });
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Requests,
    Answers,
}

/// Carries bytes until one side closes, or is made to.
async fn pump(
    mut from: OwnedReadHalf,
    to: OwnedWriteHalf,
    mut state: watch::Receiver<State>,
    direction: Direction,
    began: Interruptions,
) {
    let mut to = Some(to);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = tokio::select! {
            biased;
            changed = state.changed() => {
                let now = state.borrow_and_update().interruptions;
                if changed.is_err() || now.cut != began.cut {
                    return;
                }
                if now.half_closed != began.half_closed && direction == Direction::Answers {
                    // Closes this direction; what the server still says is read and dropped.
                    to = None;
                }
                continue;
            }
            read = from.read(&mut buffer) => read.unwrap_or_default(),
        };
        let now = *state.borrow();
        let arrives = match now.weather {
            _ if now.interruptions.forgotten != began.forgotten => false,
            Weather::Fair | Weather::Refusal => true,
            Weather::NoAnswers => direction == Direction::Requests,
            Weather::Silence => false,
        };
        let half_closed = now.interruptions.half_closed != began.half_closed;
        if half_closed && (read == 0 || direction == Direction::Requests) {
            // The other side is not to hear that this one has closed.
            wait_for_cut(state, began).await;
            return;
        }
        if read == 0 && arrives {
            return;
        }
        if read == 0 {
            wait_for_cut(state, began).await;
            return;
        }
        if let (true, Some(to), Some(bytes)) = (arrives, &mut to, buffer.get(..read)) {
            let sent = tokio::select! {
                sent = to.write_all(bytes) => sent.is_ok(),
                () = wait_for_cut(state.clone(), began) => false,
            };
            if !sent {
                return;
            }
        }
    }
}

/// Holds a connection open until it is cut.
async fn wait_for_cut(mut state: watch::Receiver<State>, began: Interruptions) {
    let _ = state.wait_for(|now| now.interruptions.cut != began.cut).await;
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const SHORT: Duration = Duration::from_millis(100);

    /// A server that says everything twice, and how many of its connections were closed by the other side.
    async fn echo() -> (SocketAddr, watch::Receiver<u32>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (ended, sees) = watch::channel(0);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let ended = ended.clone();
                tokio::spawn(async move {
                    let mut byte = [0; 1];
                    while client.read(&mut byte).await.is_ok_and(|read| read > 0) {
                        client.write_all(&[byte[0], byte[0]]).await.unwrap();
                    }
                    ended.send_modify(|ended| *ended += 1);
                });
            }
        });
        (address, sees)
    }

    async fn client(proxy: &Proxy) -> TcpStream {
        TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap()
    }

    async fn ask(client: &mut TcpStream) -> io::Result<[u8; 2]> {
        let mut answer = [0; 2];
        client.write_all(b"x").await?;
        client.read_exact(&mut answer).await?;
        Ok(answer)
    }

    #[tokio::test]
    async fn what_is_sent_arrives_unless_the_weather_is_bad() {
        let (server, _) = echo().await;
        let proxy = Proxy::before(server).await.unwrap();
        let mut client = client(&proxy).await;
        assert_eq!(ask(&mut client).await.unwrap(), *b"xx");
        for weather in [Weather::Silence, Weather::NoAnswers] {
            proxy.turn(weather);
            assert!(timeout(SHORT, ask(&mut client)).await.is_err(), "{weather:?}");
        }
        proxy.turn(Weather::Fair);
        assert_eq!(ask(&mut client).await.unwrap(), *b"xx", "the connection is the same");
        proxy.turn(Weather::Refusal);
        let mut refused = super::tests::client(&proxy).await;
        assert!(timeout(SHORT, ask(&mut refused)).await.unwrap().is_err());
    }

    #[tokio::test]
    async fn what_is_cut_is_closed_on_both_sides_and_new_connections_are_served() {
        let (server, mut ended) = echo().await;
        let proxy = Proxy::before(server).await.unwrap();
        let mut old = client(&proxy).await;
        ask(&mut old).await.unwrap();
        proxy.cut();
        assert!(timeout(SHORT, ask(&mut old)).await.unwrap().is_err());
        ended.wait_for(|ended| *ended == 1).await.unwrap();
        assert_eq!(ask(&mut client(&proxy).await).await.unwrap(), *b"xx");
    }

    #[tokio::test]
    async fn what_is_half_closed_is_closed_for_the_client_alone() {
        let (server, mut ended) = echo().await;
        let proxy = Proxy::before(server).await.unwrap();
        let mut old = client(&proxy).await;
        ask(&mut old).await.unwrap();
        proxy.half_close();
        assert_eq!(old.read(&mut [0; 1]).await.unwrap(), 0);
        drop(old);
        assert!(timeout(SHORT, ended.changed()).await.is_err(), "the server was told");
        assert_eq!(ask(&mut client(&proxy).await).await.unwrap(), *b"xx");
        drop(proxy);
        ended.wait_for(|ended| *ended == 2).await.unwrap();
    }

    #[tokio::test]
    async fn what_is_forgotten_stays_silent_and_new_connections_are_served() {
        let (server, _) = echo().await;
        let proxy = Proxy::before(server).await.unwrap();
        let mut old = client(&proxy).await;
        ask(&mut old).await.unwrap();
        proxy.forget();
        assert_eq!(ask(&mut client(&proxy).await).await.unwrap(), *b"xx");
        assert!(timeout(SHORT, ask(&mut old)).await.is_err());
    }

    #[tokio::test]
    async fn new_connections_lead_where_they_are_told() {
        let (one, _) = echo().await;
        let (other, _) = echo().await;
        let proxy = Proxy::before(([127, 0, 0, 1], 1).into()).await.unwrap();
        assert!(ask(&mut client(&proxy).await).await.is_err(), "nobody is there");
        for server in [one, other] {
            proxy.lead_to(server);
            assert_eq!(ask(&mut client(&proxy).await).await.unwrap(), *b"xx");
        }
    }
}
