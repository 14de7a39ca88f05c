//! What a connection is asked from outside: to stop, to apply other settings, to reconnect.

use actix::{ActorContext, AsyncContext, Context, Handler};

use super::{Connection, State};
use crate::actors::fault_injection;
use crate::actors::messages::Reconnect;
use crate::config::model::ConnectionSettings;
use crate::logging::connection_span::rename_current;
use crate::shutdown;
use crate::supervision::lifecycle::{Stop, Update};

impl Handler<Stop> for Connection {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Context<Self>) {
        if fault_injection::ignores_stop(self, format_args!("connection {}", self.settings.id), ctx) {
            return;
        }
        if let State::Online { online, .. } = &mut self.state
            && online.close()
        {
            tracing::info!("closing the stream");
            self.state = State::Closing;
            // While the server does not read, the session does not get to the command.
            ctx.run_later(shutdown::STREAM, |_, ctx| {
                tracing::info!("closing the stream timed out: connection aborted");
                ctx.stop();
            });
        } else if !matches!(self.state, State::Closing) {
            ctx.stop();
        }
    }
}

/// Applies the options that do not require a new stream: alias, keepalive interval, retry options.
impl Handler<Update<ConnectionSettings>> for Connection {
    type Result = ();

    fn handle(&mut self, Update(settings): Update<ConnectionSettings>, ctx: &mut Context<Self>) {
        tracing::info!("settings applied in place");
        let retry_changed = settings.retry != self.settings.retry;
        self.settings = settings;
        rename_current(&self.settings.alias);
        self.row.update(|report| report.alias.clone_from(&self.settings.alias));
        self.search.policy.update(self.settings.retry);
        if retry_changed {
            // A wait of hours under the old settings must not outlive them.
            self.shorten_wait(ctx);
        }
        if let State::Online { online, .. } = &mut self.state {
            online.keepalive.update(self.settings.keepalive);
        }
        self.check_keepalive(ctx);
    }
}

impl Handler<Reconnect> for Connection {
    type Result = ();

    fn handle(&mut self, _: Reconnect, ctx: &mut Context<Self>) {
        if let Some(wait) = self.shorten_wait(ctx) {
            tracing::info!("asked to reconnect; next try in {:.1} s", wait.as_secs_f64());
        }
    }
}
