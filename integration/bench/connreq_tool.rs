//! Round trips as the tool `connreq` sees them.

use super::figures::{Figures, Goal, percentile};
use super::fleet;
use super::lab::{Candidate, Lab};
use crate::harness::connreq::{connreq, run};
use crate::harness::fleet::jid;

/// Several answers are several writes of the server, which the requester must not slow down.
const TARGETS: u32 = 3;

/// Several targets, several rounds.
pub async fn measure(lab: &Lab, figures: &mut Figures) {
    let daemon = fleet::online(lab, TARGETS, None).await;
    let count = lab.repetitions(20, 3).to_string();
    let targets: Vec<String> = (1..=TARGETS).map(jid).collect();
    let mut arguments = vec!["--json", "--count", &count, "--interval", "0.2"];
    arguments.extend(targets.iter().map(String::as_str));
    let output = run(&mut connreq(&lab.prosody, &arguments)).await;
    assert_eq!(output.code, 0, "{output:?}");
    let answers = output.json().into_iter().filter(|line| line["type"] == "answer");
    let times: Vec<f64> = answers.map(|line| line["ms"].as_f64().unwrap()).collect();
    let p50 = percentile(&times, 0.5).unwrap();
    figures.add("round trip of connreq, 3 targets, p50", "ms", Goal::AtMost(5.0), Candidate::Xmppd, p50);
    fleet::end(lab, daemon, TARGETS).await;
}
