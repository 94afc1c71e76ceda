//! A peer that speaks Pinecone's REST interface, for there is no server to be had: control plane and indexes over HTTP on
//! loopback, state in memory. It is as strict as the documentation says Pinecone is, and as late: what was written is
//! readable after a moment, and a read says up to where it has seen the log.
//!
//! Where the documentation is silent (whether `$ne` matches a record without the key) it does one thing in one namespace
//! and the other in the next, so that nothing can rely on either.

mod filter;
mod state;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value as Json, json};

use crate::peer::{Act, Answer, Request, Trouble, serve};
use state::{Index, Refused, json_of};

/// How the peer behaves.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// How long a write takes to be readable.
    pub delay: Duration,
    /// Whether it says where in the log writes and reads are.
    pub log_headers: bool,
}

impl Default for Manner {
    fn default() -> Self {
        Manner { delay: Duration::from_millis(8), log_headers: true }
    }
}

/// A peer under way. It ends with the process.
#[derive(Clone)]
pub struct Peer {
    /// The control plane's address.
    pub url: String,
    state: Arc<Project>,
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.url)
    }
}

struct Project {
    manner: Manner,
    indexes: Mutex<std::collections::BTreeMap<String, Arc<Index>>>,
    trouble: Trouble,
}

impl Peer {
    /// Starts one.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn start(manner: Manner) -> std::io::Result<Peer> {
        let state = Arc::new(Project { manner, indexes: Mutex::default(), trouble: Trouble::default() });
        let project = state.clone();
        let url = serve(move |request| project.guarded(request, |request| project.control(request)))?;
        Ok(Peer { url: format!("http://{url}"), state })
    }

    /// What it is asked before both planes are.
    pub fn trouble(&self) -> &Trouble {
        &self.state.trouble
    }

    /// Deletes an index, as a console does; gives the host where it was, which then knows of nothing.
    pub fn delete(&self, index: &str) -> Option<String> {
        let index = self.state.indexes.lock().remove(index)?;
        index.gone.store(true, Ordering::SeqCst);
        let host = index.host.lock().clone();
        Some(host)
    }

    /// The indexes there are.
    pub fn indexes(&self) -> Vec<String> {
        self.state.indexes.lock().keys().cloned().collect()
    }

    /// The peer of a directory: the same one for the same directory, as a server would be.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn of(directory: &std::path::Path) -> std::io::Result<Peer> {
        static PEERS: Mutex<Vec<(std::path::PathBuf, Peer)>> = Mutex::new(Vec::new());
        let mut peers = PEERS.lock();
        if let Some((_, peer)) = peers.iter().find(|(path, _)| path == directory) {
            return Ok(peer.clone());
        }
        let peer = Peer::start(Manner::default())?;
        peers.push((directory.to_owned(), peer.clone()));
        Ok(peer)
    }
}

/// A connection to the peer of a directory.
pub fn client_of(directory: &std::path::Path) -> heavenbase::backends::Pinecone {
    // Without a port there is nobody, and connecting says so.
    let url = Peer::of(directory).map_or_else(|_| "http://127.0.0.1:1".to_owned(), |peer| peer.url);
    heavenbase::backends::Pinecone::api_key("any").control_plane(url)
}

fn refusal(refused: &Refused) -> Answer {
    let Refused { status, why } = refused;
    Answer::json(
        *status,
        &json!({ "code": 3, "message": why, "details": [], "error": { "code": "INVALID_ARGUMENT", "message": why }, "status": status }),
    )
}

impl Project {
    fn guarded(&self, request: &Request, answer: impl FnOnce(&Request) -> Result<Answer, Refused>) -> Answer {
        match self.trouble.decide(request) {
            Act::Pass => self.checked(request, answer),
            Act::Lose => {
                self.checked(request, answer);
                Answer::none()
            }
            Act::Answer(instead) => instead,
        }
    }

    fn checked(&self, request: &Request, answer: impl FnOnce(&Request) -> Result<Answer, Refused>) -> Answer {
        if request.header("api-key").is_none_or(str::is_empty) {
            return Answer::json(401, &json!({ "error": { "code": "UNAUTHENTICATED", "message": "no key" }, "status": 401 }));
        }
        if request.header("x-pinecone-api-version").is_none_or(|version| version < "2025-04") {
            return refusal(&Refused::new(400, "the API version header is missing or old"));
        }
        if request.target.len() > 8_000 {
            return refusal(&Refused::new(414, "the address is too long"));
        }
        answer(request).unwrap_or_else(|refused| refusal(&refused))
    }

    fn control(self: &Arc<Self>, request: &Request) -> Result<Answer, Refused> {
        let path = request.path();
        let mut indexes = self.indexes.lock();
        match (request.method.as_str(), path.strip_prefix("/indexes").map(|rest| rest.trim_start_matches('/'))) {
            ("GET", Some("")) => {
                let listed: Vec<Json> = indexes.values().map(|index| index.described()).collect();
                Ok(Answer::json(200, &json!({ "indexes": listed })))
            }
            ("POST", Some("")) => {
                let body = json_of(request)?;
                let index = Index::new(&body, self.manner)?;
                if indexes.contains_key(&index.name) {
                    return Err(Refused::new(409, "the index exists"));
                }
                let index = Arc::new(index);
                let (project, served) = (self.clone(), index.clone());
                let host = serve(move |request| project.guarded(request, |request| served.answer_if_there(request)))
                    .map_err(|_| Refused::new(500, "no port"))?;
                *index.host.lock() = host;
                let described = index.described();
                indexes.insert(index.name.clone(), index);
                Ok(Answer::json(201, &described))
            }
            ("GET", Some(name)) => match indexes.get(name) {
                Some(index) => Ok(Answer::json(200, &index.described())),
                None => Err(Refused::new(404, "no such index")),
            },
            ("DELETE", Some(name)) => match indexes.remove(name) {
                Some(index) => {
                    index.gone.store(true, Ordering::SeqCst);
                    Ok(Answer::json(202, &json!({})))
                }
                None => Err(Refused::new(404, "no such index")),
            },
            _ => Err(Refused::new(404, "no such path")),
        }
    }
}
