//! Addresses of actors that may be restarted. An address is looked up when it is used, so that a restart of one actor does
//! not affect the others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix::{Message, Recipient};
use tokio::sync::watch;
use tokio::time::timeout;

use super::messages::Reconnect;
use crate::config::model::ConnectionId;

/// How long a message waits for an actor that is being restarted.
const RESTART_LIMIT: Duration = Duration::from_millis(500);

/// The address of the present run of an actor.
pub struct Slot<T>(watch::Sender<Option<T>>);

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl<T: Clone> Slot<T> {
    /// Registers a new run.
    pub fn set(&self, address: T) {
        self.0.send_replace(Some(address));
    }

    /// The address of the present or last run; none before the first one.
    #[must_use]
    pub fn get(&self) -> Option<T> {
        self.0.borrow().clone()
    }
}

/// The actor panicked before it answered, or was not restarted within 500 ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the actor crashed")]
pub struct NoAnswer;

impl<M> Slot<Recipient<M>>
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    /// Sends a message without waiting for its result. It is lost if the actor is down.
    pub fn do_send(&self, message: M) {
        if let Some(recipient) = self.get() {
            recipient.do_send(message);
        }
    }

    /// Sends a message and waits for its result. If the actor is down, the message waits for the next run. A message
    /// that was lost in a crash is not sent again: it may have had its effect.
    ///
    /// The message is queued before this returns if the actor is up.
    pub fn send(&self, message: M) -> impl Future<Output = Result<M::Result, NoAnswer>> + use<M> {
        let sent = match self.get().filter(Recipient::connected) {
            Some(recipient) => Ok(recipient.send(message)),
            None => Err((message, self.0.subscribe())),
        };
        async move {
            let request = match sent {
                Ok(request) => request,
                Err((message, mut addresses)) => {
                    let is_up = |recipient: &Option<Recipient<M>>| recipient.as_ref().is_some_and(Recipient::connected);
                    let restarted = timeout(RESTART_LIMIT, addresses.wait_for(is_up)).await;
                    let recipient = restarted.ok().and_then(Result::ok).and_then(|recipient| recipient.clone());
                    recipient.ok_or(NoAnswer)?.send(message)
                }
            };
            request.await.map_err(|_| NoAnswer)
        }
    }
}

/// The addresses of the running connections.
#[derive(Clone, Default)]
pub struct ConnectionRegistry(Arc<Mutex<BTreeMap<ConnectionId, Recipient<Reconnect>>>>);

impl ConnectionRegistry {
    fn addresses(&self) -> MutexGuard<'_, BTreeMap<ConnectionId, Recipient<Reconnect>>> {
        // Valid even after a panic: each change is one call of the map.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a new run, and removes the connections that ended.
    pub fn set(&self, id: ConnectionId, address: Recipient<Reconnect>) {
        let mut addresses = self.addresses();
        addresses.retain(|_, address| address.connected());
        addresses.insert(id, address);
    }

    /// Sends [`Reconnect`] to a connection, if it runs.
    pub fn reconnect(&self, id: ConnectionId) {
        if let Some(address) = self.addresses().get(&id) {
            address.do_send(Reconnect);
        }
    }

    /// Sends [`Reconnect`] to all connections.
    pub fn reconnect_all(&self) {
        for address in self.addresses().values() {
            address.do_send(Reconnect);
        }
    }
}

#[cfg(test)]
mod tests {
    use actix::{Actor, ActorContext, Context, Handler};

    use super::*;
    use crate::testing::paused;

    struct Echo(u32);

    struct Ask(bool);

    impl Message for Ask {
        type Result = u32;
    }

    impl Actor for Echo {
        type Context = Context<Self>;
    }

    impl Handler<Ask> for Echo {
        type Result = u32;

        fn handle(&mut self, Ask(stop): Ask, ctx: &mut Context<Self>) -> u32 {
            if stop {
                ctx.stop();
            }
            self.0
        }
    }

    #[test]
    fn a_message_to_a_restarted_actor_reaches_its_new_run() {
        paused(async {
            let slot = Slot::default();
            let early = tokio::spawn(slot.send(Ask(false)));
            tokio::task::yield_now().await;
            slot.set(Echo(1).start().recipient());
            assert_eq!(early.await.unwrap(), Ok(1));
            assert_eq!(slot.send(Ask(true)).await, Ok(1));
            while slot.get().is_some_and(|address| address.connected()) {
                tokio::task::yield_now().await;
            }
            let meanwhile = tokio::spawn(slot.send(Ask(false)));
            tokio::time::sleep(RESTART_LIMIT / 2).await;
            slot.set(Echo(2).start().recipient());
            assert_eq!(meanwhile.await.unwrap(), Ok(2));
        });
    }

    #[test]
    fn a_message_to_an_actor_that_stays_down_fails_within_a_second() {
        paused(async {
            let slot = Slot::<Recipient<Ask>>::default();
            let before = tokio::time::Instant::now();
            assert_eq!(slot.send(Ask(false)).await, Err(NoAnswer));
            assert!(before.elapsed() < Duration::from_secs(1), "{:?}", before.elapsed());
        });
    }
}
