//! Active health checks: one task for each endpoint whose policy asks for it, on the control thread, so that a gateway
//! checks once however many cores it has. What they find is a bit on the board; see `engine/health`.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use monoio::net::TcpStream;

use crate::base::{ProviderId, Span, hash};
use crate::dialect::health::{Finding, Signer, health_finding, health_request};
use crate::engine::Checkup;
use crate::policy::model::{Endpoint, HealthCheck, Question};
use crate::runtime::clock;
use crate::runtime::generation::Generation;
use crate::runtime::link::{Link, Way};
use crate::runtime::log;
use crate::runtime::peer::Peer;
use crate::runtime::shared::Shared;
use crate::runtime::tls::Session;
use crate::wire::h1::{Fields, Framing, chunked, response};

/// The checks that run, so that none runs twice and what a generation asks for anew begins.
#[derive(Debug, Default)]
pub(super) struct Checks {
    running: Rc<RefCell<Vec<Rc<Asked>>>>,
    /// The generation that was followed last.
    number: Cell<u64>,
}

/// What is checked and how. It is the same check in the next generation if all of this is the same there.
#[derive(Debug, Eq, PartialEq)]
struct Asked {
    provider: Box<str>,
    endpoint: Endpoint,
    check: HealthCheck,
}

impl Checks {
    /// Begins the checks that `shared`'s newest generation asks for and that do not run yet. Others end by themselves
    /// when their turn comes.
    pub(super) fn follow(&self, shared: &Arc<Shared>) {
        if self.number.replace(shared.number()) == shared.number() {
            return;
        }
        for provider in &shared.generation().plan.policy.providers {
            let Some(check) = &provider.health else {
                continue;
            };
            for endpoint in &provider.endpoints {
                let asked = Asked {
                    provider: provider.name.clone(),
                    endpoint: endpoint.clone(),
                    check: check.clone(),
                };
                if self.running.borrow().iter().any(|known| **known == asked) {
                    continue;
                }
                let asked = Rc::new(asked);
                self.running.borrow_mut().push(Rc::clone(&asked));
                let watch = Watch {
                    shared: Arc::clone(shared),
                    asked,
                };
                let running = Rc::clone(&self.running);
                monoio::spawn(async move {
                    watch.run().await;
                    let ended = |known: &Rc<Asked>| Rc::ptr_eq(known, &watch.asked);
                    running.borrow_mut().retain(|known| !ended(known));
                });
            }
        }
    }
}

/// The time between two checks of one endpoint: as the policy says, stretched where tokens would cost too much.
fn pace(check: &HealthCheck, endpoints: usize) -> Span {
    match check.question {
        Question::Path { .. } => check.every,
        Question::Token { count, per, .. } => {
            let share = per.as_nanos().saturating_mul(endpoints as u64) / u64::from(count.max(1));
            check.every.max(Span::from_nanos(share))
        }
    }
}

/// One endpoint that is checked.
struct Watch {
    shared: Arc<Shared>,
    asked: Rc<Asked>,
}

/// Where it is in a generation.
#[derive(Clone, Copy)]
struct Place {
    provider: ProviderId,
    endpoint: u16,
    endpoints: usize,
}

impl Watch {
    /// Checks until a generation does not ask for it any more.
    async fn run(&self) {
        let check = &self.asked.check;
        let mut generation = self.shared.generation();
        let Some(mut place) = self.place_in(&generation) else {
            return;
        };
        let up = generation.board.is_up(place.provider, place.endpoint);
        let mut checkup = Checkup::new(check.fall, check.rise, up);
        let mut count = 0_u64;
        loop {
            monoio::time::sleep(self.until_next(place, count).as_std()).await;
            count += 1;
            if generation.number != self.shared.number() {
                generation = self.shared.generation();
                match self.place_in(&generation) {
                    Some(found) => place = found,
                    None => return,
                }
                // It may have been made from what was known a moment before the last verdict.
                let board = &generation.board;
                board.set_health(place.provider, place.endpoint, checkup.is_up());
            }
            let asked = self.ask(&generation, place, count);
            let found = match monoio::time::timeout(check.timeout.as_std(), asked).await {
                Ok(found) => found,
                Err(_) => Err("no answer in time".to_owned()),
            };
            let (good, why) = match found {
                Ok(Finding::Silent) => continue,
                Ok(Finding::Good) => (true, String::new()),
                Ok(Finding::Bad) => (false, "not the answer that was asked for".to_owned()),
                Err(why) => (false, why),
            };
            // Requests tell about an endpoint only where there is no other one that they could have gone to.
            let served = match place.endpoints {
                1 => generation.board.served(place.provider),
                _ => 0,
            };
            if let Some(up) = checkup.saw(good, served) {
                let board = &generation.board;
                board.set_health(place.provider, place.endpoint, up);
                log::health(&self.asked.provider, &self.asked.endpoint, up, &why);
            }
        }
    }

    fn place_in(&self, generation: &Generation) -> Option<Place> {
        let Asked {
            provider: name,
            endpoint,
            check,
        } = &*self.asked;
        let providers = &generation.plan.policy.providers;
        let (id, provider) = (0..).zip(providers).find(|(_, it)| it.name == *name)?;
        if provider.health.as_ref() != Some(check) {
            return None;
        }
        let at = provider.endpoints.iter().position(|it| it == endpoint)?;
        Some(Place {
            provider: ProviderId(id),
            endpoint: u16::try_from(at).ok()?,
            endpoints: provider.endpoints.len(),
        })
    }

    /// The pause before the next check. Gateways, endpoints and rounds differ by up to a tenth, so that they do not ask
    /// in step; questions that cost money never come early. The first round is spread over the whole pause.
    fn until_next(&self, place: Place, count: u64) -> Span {
        let (shared, check) = (&self.shared, &self.asked.check);
        let own = if check.spread { place.endpoint } else { 0 };
        let who = hash::of_bytes(u64::from(own), shared.listen.to_string().as_bytes());
        let chance = hash::mix(
            hash::mix(who, shared.started),
            u64::from(place.provider.0) << 32 | count,
        );
        if count == 0 {
            return Span::from_nanos(hash::scale(chance, check.every.as_nanos()));
        }
        let pace = pace(check, place.endpoints);
        let tenth = pace.as_nanos() / 10;
        let early = match check.question {
            Question::Path { .. } => tenth,
            Question::Token { .. } => 0,
        };
        let least = pace.as_nanos().saturating_sub(early);
        Span::from_nanos(least + hash::scale(chance, tenth + early))
    }

    /// Asks once, on a connection of its own: one that is kept would prove that old connections live, not that new
    /// ones can be made.
    async fn ask(
        &self,
        generation: &Generation,
        place: Place,
        count: u64,
    ) -> Result<Finding, String> {
        let Asked {
            endpoint, check, ..
        } = &*self.asked;
        let providers = &generation.plan.policy.providers;
        let provider = providers
            .get(place.provider.index())
            .ok_or("no such provider")?;
        // Each key of a pool in turn: one that is refused must not hide the endpoint.
        let keys = provider.auth.secrets().len().max(1) as u64;
        let key = u8::try_from(count % keys).unwrap_or(0);
        let peers = &generation.peers;
        let peer = peers
            .at(peers.index(place.provider, place.endpoint))
            .ok_or("no such endpoint")?;
        let mut link = connect(peer).await?;
        let mut outlet = Vec::new();
        let outlets = &generation.outlets;
        outlets.write_fields(place.provider, place.endpoint, key, &mut outlet);
        let mut request = Vec::new();
        let signer =
            outlets
                .signer(place.provider, place.endpoint, key)
                .map(|(host, credentials)| Signer {
                    host,
                    credentials,
                    unix: clock::unix_seconds(),
                });
        let (question, out) = (&check.question, &mut request);
        health_request(provider, endpoint, question, &outlet, signer, out);
        outlet.fill(0);
        let all = 0..request.len();
        let (mut request, sent) = link.send(request, all, Way::Driver).await;
        request.fill(0);
        sent.map_err(|error| error.to_string())?;
        let (status, body) = answer(&mut link, &check.question).await?;
        match health_finding(provider.kind, &check.question, status, &body) {
            Finding::Bad => Err(format!("status {status}")),
            other => Ok(other),
        }
    }
}

async fn connect(peer: &Peer) -> Result<Link, String> {
    let addresses = peer.addresses();
    let mut failure = "its name has no address".to_owned();
    for &address in addresses.iter() {
        match connect_one(peer, address).await {
            Ok(link) => return Ok(link),
            Err(error) => failure = error.to_string(),
        }
    }
    Err(failure)
}

async fn connect_one(peer: &Peer, address: SocketAddr) -> io::Result<Link> {
    let stream = TcpStream::connect_addr(address).await?;
    let Some(config) = peer.tls() else {
        return Ok(Link::plain(stream));
    };
    let session = Session::client(config, &peer.host)?;
    let mut link = Link::secured(stream, session);
    link.handshake().await?;
    Ok(link)
}

/// The status, and the body where the question is about it.
async fn answer(link: &mut Link, question: &Question) -> Result<(u16, Vec<u8>), String> {
    let mut fields = Fields::default();
    let mut bytes = Vec::with_capacity(ANSWER_BYTES);
    loop {
        match response::parse(&bytes, &mut fields).map_err(|_| "its answer is not HTTP")? {
            Some(head) if head.is_interim() => drop(bytes.drain(..head.len as usize)),
            Some(head) => {
                if let Question::Path { .. } = question {
                    return Ok((head.status, Vec::new()));
                }
                bytes.drain(..head.len as usize);
                return body(link, bytes, head.framing)
                    .await
                    .map(|body| (head.status, body));
            }
            None => bytes = more(link, bytes).await?,
        }
    }
}

async fn body(link: &mut Link, mut raw: Vec<u8>, framing: Framing) -> Result<Vec<u8>, String> {
    match framing {
        Framing::None => Ok(Vec::new()),
        Framing::Length(length) => {
            while (raw.len() as u64) < length {
                raw = more(link, raw).await?;
            }
            Ok(raw)
        }
        Framing::Chunked => loop {
            let mut decoded = raw.clone();
            let step = chunked::Decoder::default()
                .decode(&mut decoded)
                .map_err(|_| "its answer is badly framed")?;
            if step.done {
                decoded.truncate(step.produced);
                return Ok(decoded);
            }
            raw = more(link, raw).await?;
        },
        Framing::UntilClose => loop {
            let before = raw.len();
            raw.reserve(ANSWER_BYTES);
            let (read, count) = link.read(raw).await;
            raw = read;
            match count {
                Ok(0) => return Ok(raw),
                Ok(_) if raw.len() <= ANSWER_BYTES_MAX && raw.len() > before => {}
                _ => return Err("its answer broke off".to_owned()),
            }
        },
    }
}

async fn more(link: &mut Link, mut bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    if bytes.len() > ANSWER_BYTES_MAX {
        return Err("its answer is too long".to_owned());
    }
    bytes.reserve(ANSWER_BYTES);
    match link.read(bytes).await {
        (_, Ok(0)) => Err("its answer broke off".to_owned()),
        (bytes, Ok(_)) => Ok(bytes),
        (_, Err(error)) => Err(error.to_string()),
    }
}

/// Room for one read.
const ANSWER_BYTES: usize = 4 * 1024;
/// One token and its envelope are far below.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
