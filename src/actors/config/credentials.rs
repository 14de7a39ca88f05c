//! `/etc/config/cwmp`: the credentials of connection requests.

use super::{Config, Rejection};
use crate::actors::messages::{Announce, SetRules};
use crate::cwmp::credentials::{Credentials, credentials};
use crate::document::Table;
use crate::file::{Contents, ReadError};

impl Config {
    /// Loads `/etc/config/cwmp`, and announces what came of it.
    ///
    /// # Errors
    /// Why its credentials are not in effect.
    pub(super) fn load_cwmp(&mut self, contents: Result<Contents, ReadError>) -> Result<(), String> {
        let loaded = self.load_credentials(contents);
        let file = self.startup.cwmp_config.to_string_lossy().into_owned();
        let event = Table::new().with("file", file).with("taken_up", loaded.is_ok());
        self.events.do_send(Announce::Config(match &loaded {
            Ok(()) => event,
            Err(error) => event.with("error", error.as_str()),
        }));
        loaded
    }

    /// If the file is refused, the credentials stay as they are; if it has none, they are dropped.
    fn load_credentials(&mut self, contents: Result<Contents, ReadError>) -> Result<(), String> {
        let path = &self.startup.cwmp_config;
        let parse = |contents: Contents| Ok(credentials(path, &contents.text)?);
        match contents.map_err(Rejection::from).and_then(parse) {
            Ok(Some(credentials)) => {
                self.cwmp_log.log_recovery();
                if self.desired.lock().credentials.as_ref() != Some(&credentials) {
                    crate::notice!("{}: connection request credentials applied", path.display());
                }
                self.set_credentials(Some(credentials));
                Ok(())
            }
            Ok(None) => Err(self.drop_credentials("no userid and passwd in a section 'cpe'")),
            Err(Rejection::Read(ReadError::Missing(_))) => Err(self.drop_credentials("there is no such file")),
            Err(rejection) => {
                self.cwmp_log.log_error(&format!("{rejection}; keeping the current credentials"));
                Err(rejection.to_string())
            }
        }
    }

    /// Returns what is logged.
    fn drop_credentials(&mut self, why: &str) -> String {
        let warning = format!("{}: {why}: no connection request can be authorized", self.startup.cwmp_config.display());
        self.cwmp_log.log_warning(&warning);
        self.set_credentials(None);
        warning
    }

    fn set_credentials(&self, credentials: Option<Credentials>) {
        self.desired.lock().credentials = credentials;
        self.router.do_send(SetRules(self.desired.rules()));
    }
}
