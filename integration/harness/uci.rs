//! UCI files: their text, and how they are written.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags};

use super::prosody::PASSWORD;
use super::server::Endpoint;

/// A section. See [`text`] for the text of a file.
#[derive(Debug, Clone)]
pub struct Section {
    kind: String,
    name: Option<String>,
    values: Vec<(bool, String, String)>,
}

impl Section {
    /// `config KIND 'NAME'`
    pub fn named(kind: &str, name: &str) -> Self {
        Self { kind: kind.to_owned(), name: Some(name.to_owned()), values: Vec::new() }
    }

    /// `config KIND`
    pub fn anonymous(kind: &str) -> Self {
        Self { kind: kind.to_owned(), name: None, values: Vec::new() }
    }

    /// Sets `option NAME 'VALUE'`, replacing all values of that name.
    #[must_use]
    pub fn option(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.values.retain(|(_, known, _)| known != name);
        self.values.push((false, name.to_owned(), value.to_string()));
        self
    }

    /// Sets several options.
    #[must_use]
    pub fn options(self, options: &[(&str, &str)]) -> Self {
        options.iter().fold(self, |section, (name, value)| section.option(name, value))
    }

    /// `list NAME 'VALUE'`; adds to what the section has.
    #[must_use]
    pub fn list(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.values.push((true, name.to_owned(), value.to_string()));
        self
    }

    /// The value of an option. A list has none.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(list, known, _)| !list && known == name).map(|(.., value)| value.as_str())
    }

    /// Removes all values of that name.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.values.retain(|(_, known, _)| known != name);
        self
    }

    /// The section `xmpp`: enabled, with these connections accepting requests, and the longest time for the CWMP client.
    pub fn general(accepting: &[u32]) -> Self {
        let ids: Vec<String> = accepting.iter().map(ToString::to_string).collect();
        Self::named("xmpp", "xmpp")
            .option("enable", 1)
            .option("loglevel", "DEBUG")
            .option("notify_timeout_ms", 10_000)
            .option("id", if ids.is_empty() { "0".to_owned() } else { ids.join(" ") })
    }

    /// A connection with this full JID, whose server row is [`server`](Self::server), with the shortest possible waits.
    pub fn connection(id: u32, full_jid: &str, server: &impl Endpoint) -> Self {
        let (user, rest) = full_jid.split_once('@').expect("a full JID");
        let (domain, resource) = rest.split_once('/').expect("a full JID");
        Self::anonymous("connection")
            .option("con_inst", id)
            .option("enable", 1)
            .option("username", user)
            .option("password", PASSWORD)
            .option("domain", domain)
            .option("resource", resource)
            .option("usetls", 1)
            .option("tls_ca", server.ca_pem().display())
            .option("serveralgorithm", "ServerTable")
            .option("initial_retry_interval", 1)
            .option("retry_interval_multiplier", 1000)
            .option("retry_max_interval", 1)
    }

    /// The server row of connection `id`.
    pub fn server(id: u32, server: &impl Endpoint) -> Self {
        Self::anonymous("connection_server")
            .option("con_id", id)
            .option("enable", 1)
            .option("server_address", "127.0.0.1")
            .option("port", server.port())
    }

    /// The section `cpe` of /etc/config/cwmp.
    pub fn cpe(userid: &str, passwd: &str) -> Self {
        Self::named("cpe", "cpe").option("userid", userid).option("passwd", passwd)
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "config {}", self.kind)?;
        if let Some(name) = &self.name {
            write!(f, " {}", quote(name))?;
        }
        writeln!(f)?;
        for (list, name, value) in &self.values {
            let word = if *list { "list" } else { "option" };
            writeln!(f, "\t{word} {name} {}", quote(value))?;
        }
        writeln!(f)
    }
}

fn quote(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

/// Renders a file with these sections.
pub fn text<'a>(sections: impl IntoIterator<Item = &'a Section>) -> String {
    sections.into_iter().map(ToString::to_string).collect()
}

/// A UCI file on disk.
#[derive(Debug, Clone)]
pub struct UciFile {
    path: PathBuf,
}

impl UciFile {
    /// The file at `path`, which may be missing.
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Truncates and rewrites the file, as an editor does.
    pub fn write_in_place(&self, text: &str) {
        let mut file = Self::private().write(true).truncate(true).open(&self.path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// Options that create the file with mode 0600, as it contains passwords.
    fn private() -> OpenOptions {
        let mut options = File::options();
        options.create(true).mode(0o600);
        options
    }

    /// Replaces the file as `uci commit` does: opens the old file for writing and closes it unchanged, writes a new file
    /// beside it, and renames that.
    pub fn commit(&self, text: &str) {
        drop(Self::private().append(true).open(&self.path).unwrap());
        let directory = self.path.parent().unwrap();
        let name = self.path.file_name().unwrap().to_string_lossy();
        let new = directory.join(format!(".{name}.uci-{:08x}", rand::random::<u32>()));
        let mut file = Self::private().write(true).truncate(true).open(&new).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file.sync_all().unwrap();
        fs::rename(new, &self.path).unwrap();
    }

    /// Deletes it.
    pub fn remove(&self) {
        fs::remove_file(&self.path).unwrap();
    }

    /// Replaces it by a directory, in one step, so that it is never missing.
    pub fn replace_with_directory(&self) {
        let directory = self.path.with_extension("directory");
        fs::create_dir(&directory).unwrap();
        rustix::fs::renameat_with(CWD, &directory, CWD, &self.path, RenameFlags::EXCHANGE).unwrap();
        fs::remove_file(&directory).unwrap();
    }

    /// Removes the directory created by [`replace_with_directory`](Self::replace_with_directory).
    pub fn remove_directory(&self) {
        fs::remove_dir(&self.path).unwrap();
    }
}

#[test]
fn values_are_quoted_for_uci() {
    let section = Section::named("xmpp", "xmpp").option("a", "it's").list("b", 1).list("b", 2).option("a", "x");
    assert_eq!(section.to_string(), "config xmpp 'xmpp'\n\tlist b '1'\n\tlist b '2'\n\toption a 'x'\n\n");
    assert_eq!(quote("it's"), r"'it'\''s'");
}
