//! UCI files: their text, and the two ways in which they are changed.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags};

use super::prosody::PASSWORD;
use super::server::Endpoint;

/// A section; a file's text is its sections one after the other, see [`text`].
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

    /// `option NAME 'VALUE'`; replaces what the section had under that name.
    #[must_use]
    pub fn option(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.values.retain(|(_, known, _)| known != name);
        self.values.push((false, name.to_owned(), value.to_string()));
        self
    }

    /// `list NAME 'VALUE'`; adds to what the section has.
    #[must_use]
    pub fn list(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.values.push((true, name.to_owned(), value.to_string()));
        self
    }

    /// The value of an option; none for a list.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(list, known, _)| !list && known == name).map(|(.., value)| value.as_str())
    }

    /// Without any value under that name.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.values.retain(|(_, known, _)| known != name);
        self
    }

    /// The section `xmpp`: enabled, these connections accept requests.
    pub fn general(accepting: &[u32]) -> Self {
        let ids: Vec<String> = accepting.iter().map(ToString::to_string).collect();
        Self::named("xmpp", "xmpp")
            .option("enable", 1)
            .option("loglevel", "DEBUG")
            .option("id", if ids.is_empty() { "0".to_owned() } else { ids.join(" ") })
    }

    /// A connection of this full JID to the server's host; its row is [`server`](Self::server). The waits are the
    /// shortest there are.
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

/// The text of a file with these sections.
pub fn text<'a>(sections: impl IntoIterator<Item = &'a Section>) -> String {
    sections.into_iter().map(ToString::to_string).collect()
}

/// A UCI file on the disk.
#[derive(Debug, Clone)]
pub struct UciFile {
    path: PathBuf,
}

impl UciFile {
    /// The file at `path`, which need not be there.
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// As an editor does: truncate and write.
    pub fn write_in_place(&self, text: &str) {
        let mut file = Self::owners().write(true).truncate(true).open(&self.path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// A file with passwords is its owner's alone.
    fn owners() -> OpenOptions {
        let mut options = File::options();
        options.create(true).mode(0o600);
        options
    }

    /// As `uci commit` does: the old file is opened for writing and closed again as it was, a new one is written beside it
    /// and renamed over it.
    pub fn commit(&self, text: &str) {
        drop(Self::owners().append(true).open(&self.path).unwrap());
        let directory = self.path.parent().unwrap();
        let name = self.path.file_name().unwrap().to_string_lossy();
        let new = directory.join(format!(".{name}.uci-{:08x}", rand::random::<u32>()));
        let mut file = Self::owners().write(true).truncate(true).open(&new).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file.sync_all().unwrap();
        fs::rename(new, &self.path).unwrap();
    }

    /// Deletes it.
    pub fn remove(&self) {
        fs::remove_file(&self.path).unwrap();
    }

    /// Puts a directory in its place.
    ///
    /// In one step: in between, a file that is missing would be something else.
    pub fn replace_with_directory(&self) {
        let directory = self.path.with_extension("directory");
        fs::create_dir(&directory).unwrap();
        rustix::fs::renameat_with(CWD, &directory, CWD, &self.path, RenameFlags::EXCHANGE).unwrap();
        fs::remove_file(&directory).unwrap();
    }

    /// Takes the directory away that [`replace_with_directory`](Self::replace_with_directory) put there.
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
