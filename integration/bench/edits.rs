//! One edit of a file with many connections: what it costs beside reading the file.

use std::path::Path;
use std::time::Instant;

use xmppd::config::load::load;

use super::figures::{Figures, Goal, ms};
use super::lab::{Candidate, LIMIT, Lab, general};
use super::usage::Cpu;
use crate::harness::{Section, ports, uci};

/// Edits for each size.
const EDITS: usize = 5;

/// Numbers of connections.
const SIZES: [u32; 4] = [10, 100, 1000, 10_000];

/// Measures each size. The connections wait for a server that is not there.
pub async fn measure(lab: &Lab, figures: &mut Figures) {
    for (at, &size) in SIZES.iter().enumerate() {
        if lab.short && at > 1 {
            return;
        }
        let port = ports::free();
        let mut sections = vec![general(&[1])];
        for id in 1..=size {
            let waits = [("initial_retry_interval", "3600"), ("retry_max_interval", "3600")];
            let connection = Section::connection(id, &format!("cpe{id}@a.test/wan"), &lab.prosody).options(&waits);
            sections.extend([
                // A file may have 4 MiB.
                connection.without("tls_ca").without("usetls").without("retry_interval_multiplier"),
                Section::server(id, &lab.prosody).option("port", port),
            ]);
        }
        let daemon = lab.setup(&sections).start();
        let last = format!("connection {size} ");
        daemon.wait_for_log(&[&last, "attempt failed"], LIMIT).await;
        let edits = lab.repetitions(EDITS, 1);
        let before = Cpu::of(daemon.pid());
        for edit in 0..edits {
            let mark = daemon.log().mark();
            sections[1] = sections[1].clone().option("con_alias", format!("edit-{edit}"));
            daemon.xmpp().commit(&uci::text(&sections));
            daemon.log().wait(mark, &["settings applied in place"], LIMIT).await;
        }
        let used = ms((Cpu::of(daemon.pid()) - before).own) / edits as f64;
        let text = uci::text(&sections);
        let start = Instant::now();
        assert!(!load(Path::new("xmpp"), text.as_bytes()).unwrap().has_errors());
        let loading = ms(start.elapsed());
        figures.plot("edits", "one edit", [(f64::from(size), used)]);
        figures.plot("edits", "loading the file", [(f64::from(size), loading)]);
        if size == SIZES[3] {
            figures.add("one edit of 10,000 connections, CPU", "ms", Goal::None, Candidate::Xmppd, used);
            figures.add("loading that file alone", "ms", Goal::None, Candidate::Xmppd, loading);
        }
    }
}
