//! A CPE with little memory and a slow processor.

use std::time::Duration;

use super::CPE;
use crate::harness::engine::docker;
use crate::harness::{Connection, Cpe, Lab};

/// The memory is for all of the CPE: xmppd, and the stand-ins of ubusd and of the CWMP client.
#[test]
fn a_cpe_with_32_mib_and_a_tenth_of_a_processor_answers_and_is_never_killed() {
    let lab = Lab::new();
    let _router = lab.router(&[]);
    let _names = lab.names(&[("xmpp.isp.test", 10)], &[("xmpp.isp.test", &lab.core(10))]);
    let acs = lab.acs();
    let server = lab.server("xmpp", 10, "cpe1", "");
    let plan = lab.cpe_plan(&[Connection::new("cpe1")]);
    let limits = ["--memory", "32m", "--memory-swap", "32m", "--cpus", "0.1"];
    let cpe = Cpe::new(plan.arguments(limits).start());
    cpe.wait_within(0, &["online as", CPE], Duration::from_secs(90));
    let session = server.wait_online(CPE, Duration::from_secs(10));
    let options = ["--count", "20", "--interval", "0", "--timeout", "20"];
    acs.ask_with(&lab.core(10), &options, &["cpe1"]).assert_accepted(20);
    server.assert_same(&session);
    assert_eq!(cpe.status()["accepted"], 20);
    let state = docker(&[
        "container",
        "inspect",
        "--format",
        "{{.State.Running}} {{.State.OOMKilled}} {{.RestartCount}}",
        cpe.name(),
    ]);
    assert_eq!(state, "true false 0");
}
