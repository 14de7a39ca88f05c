//! What a supervisor is asked while it runs: to start, stop, restart and update children, and which ones there are.

use actix::{Context, Handler, MessageResult, ResponseFuture};

use super::Supervisor;
use super::waiters::{Answer, Event};
use crate::supervision::decision::SupervisionError;
use crate::supervision::messages::{Children, NewChild, RestartChild, StartChild, StopChild, UpdateChild};
use crate::supervision::spec::{ChildId, ChildSettings, ChildState};

impl<Id: ChildId, S: ChildSettings> Handler<StartChild<Id, S>> for Supervisor<Id, S> {
    type Result = Answer<Id>;

    fn handle(&mut self, StartChild(child): StartChild<Id, S>, ctx: &mut Context<Self>) -> Self::Result {
        self.add(child, ctx)
    }
}

impl<Id: ChildId, S: ChildSettings> Handler<StopChild<Id>> for Supervisor<Id, S> {
    type Result = ResponseFuture<Answer<Id>>;

    fn handle(&mut self, StopChild(id): StopChild<Id>, ctx: &mut Context<Self>) -> Self::Result {
        match self.policy.stop_child(&id) {
            Ok(actions) => {
                let answer = self.waiters.wait(id, Event::Gone);
                self.perform(actions, ctx);
                answer
            }
            Err(error) => Box::pin(async { Err(error) }),
        }
    }
}

impl<Id: ChildId, S: ChildSettings> Handler<RestartChild<Id, S>> for Supervisor<Id, S> {
    type Result = ResponseFuture<Answer<Id>>;

    fn handle(&mut self, RestartChild(child): RestartChild<Id, S>, ctx: &mut Context<Self>) -> Self::Result {
        let NewChild { spec, recipe } = child;
        let id = spec.id.clone();
        match self.policy.restart_child(spec) {
            Ok(actions) => {
                self.recipes.insert(id.clone(), recipe);
                let answer = self.waiters.wait(id, Event::Started);
                self.perform(actions, ctx);
                answer
            }
            Err(error) => Box::pin(async { Err(error) }),
        }
    }
}

impl<Id: ChildId, S: ChildSettings> Handler<UpdateChild<Id, S>> for Supervisor<Id, S> {
    type Result = Answer<Id>;

    fn handle(&mut self, UpdateChild { id, settings }: UpdateChild<Id, S>, _: &mut Context<Self>) -> Self::Result {
        let present = self.policy.state(&id).is_some_and(|state| state != ChildState::Stopping);
        let Some(recipe) = self.recipes.get_mut(&id).filter(|_| present) else {
            return Err(SupervisionError::NotFound(id));
        };
        recipe.settings = settings.clone();
        // A run that is being stopped for a restart is followed by one that starts with them.
        if let Some(live) = self.live.get(&id).filter(|live| !live.asked_to_stop) {
            live.handle.update(settings);
        }
        Ok(())
    }
}

impl<Id: ChildId, S: ChildSettings> Handler<Children<Id, S>> for Supervisor<Id, S> {
    type Result = MessageResult<Children<Id, S>>;

    fn handle(&mut self, _: Children<Id, S>, _: &mut Context<Self>) -> Self::Result {
        let children = self.policy.children().into_iter();
        let with_settings =
            children.filter_map(|child| self.recipes.get(&child.id).map(|recipe| (child, recipe.settings.clone())));
        MessageResult(with_settings.collect())
    }
}
