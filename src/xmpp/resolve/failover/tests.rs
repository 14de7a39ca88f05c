use std::cell::RefCell;

use super::*;
use crate::testing::paused;

/// The behaviour of a server.
#[derive(Debug, Clone, Copy)]
enum Server {
    Good,
    /// Answers after this many ms.
    Slow(u64),
    Refusing,
    Unreachable,
    Silent,
}
use Server::{Good, Refusing, Silent, Slow, Unreachable};

const POLICY: QueryPolicy = QueryPolicy { turn: Duration::from_secs(2), attempts: 2 };

/// Asks one question. Returns the server that answered, the time that it took in ms, and when each server was asked.
async fn ask(
    states: &ServerStates,
    policy: QueryPolicy,
    servers: &[Server],
) -> (Option<usize>, u128, Vec<(usize, u128)>) {
    let start = Instant::now();
    let asked = RefCell::new(Vec::new());
    let question = |server: usize| {
        asked.borrow_mut().push((server, start.elapsed().as_millis()));
        let behaviour = servers[server];
        async move {
            match behaviour {
                Good => Ok(server),
                Slow(ms) => {
                    sleep(Duration::from_millis(ms)).await;
                    Ok(server)
                }
                Refusing => Err(NameServerError::Code(5)),
                Unreachable => Err(NameServerError::Io("no route".to_owned())),
                Silent => std::future::pending().await,
            }
        }
    };
    let answer = ask_in_turn(states, policy, question).await.ok();
    (answer, start.elapsed().as_millis(), asked.into_inner())
}

#[test]
fn after_an_error_the_next_server_is_asked_at_once() {
    paused(async {
        for bad in [Refusing, Unreachable] {
            let states = ServerStates::new(3);
            for _ in 0..2 {
                let (answer, took, asked) = ask(&states, POLICY, &[bad, bad, Good]).await;
                assert_eq!((answer, took, asked), (Some(2), 0, vec![(0, 0), (1, 0), (2, 0)]));
            }
            // Servers that failed are not asked again.
            let (answer, took, asked) = ask(&states, POLICY, &[bad; 3]).await;
            assert_eq!((answer, took, asked.len()), (None, 0, 3));
        }
    });
}

#[test]
fn silent_servers_are_asked_last_afterwards() {
    paused(async {
        let states = ServerStates::new(3);
        let servers = [Silent, Silent, Good];
        assert_eq!(ask(&states, POLICY, &servers).await, (Some(2), 4000, vec![(0, 0), (1, 2000), (2, 4000)]));
        assert_eq!(ask(&states, POLICY, &servers).await, (Some(2), 0, vec![(2, 0)]));
        // The good one becomes silent: the others are asked again, and the one that answers is preferred.
        let (answer, took, _) = ask(&states, POLICY, &[Silent, Good, Silent]).await;
        assert_eq!((answer, took), (Some(1), 4000));
        assert_eq!(ask(&states, POLICY, &[Good, Good, Good]).await, (Some(1), 0, vec![(1, 0)]));
        // All are silent: the one with the latest answer comes first.
        let (answer, took, asked) = ask(&states, POLICY, &[Silent; 3]).await;
        let order: Vec<usize> = asked.iter().map(|(server, _)| *server).collect();
        assert_eq!((answer, took, order), (None, 12_000, vec![1, 2, 0, 1, 2, 0]));
    });
}

#[test]
fn an_unreachable_server_still_counts_as_silent() {
    paused(async {
        let states = ServerStates::new(2);
        ask(&states, POLICY, &[Silent, Good]).await;
        assert_eq!(ask(&states, POLICY, &[Unreachable; 2]).await.0, None);
        assert_eq!(ask(&states, POLICY, &[Good; 2]).await, (Some(1), 0, vec![(1, 0)]));
    });
}

#[test]
fn silent_servers_are_asked_again() {
    paused(async {
        let states = ServerStates::new(1);
        assert_eq!(ask(&states, POLICY, &[Silent]).await, (None, 4000, vec![(0, 0), (0, 2000)]));
        let policy = QueryPolicy { turn: Duration::from_secs(1), attempts: 1 };
        assert_eq!(ask(&states, policy, &[Silent]).await, (None, 1000, vec![(0, 0)]));
        // Beside one that refuses.
        let states = ServerStates::new(2);
        let asked = vec![(0, 0), (1, 0), (1, 2000)];
        assert_eq!(ask(&states, POLICY, &[Refusing, Silent]).await, (None, 4000, asked));
    });
}

#[test]
fn a_late_answer_is_accepted() {
    paused(async {
        let states = ServerStates::new(2);
        assert_eq!(ask(&states, POLICY, &[Slow(2500), Silent]).await, (Some(0), 2500, vec![(0, 0), (1, 2000)]));
        // It is not silent.
        assert_eq!(states.order(), [0, 1]);
    });
}

/// Some servers drop one kind of question.
#[test]
fn a_server_that_answers_another_question_is_not_silent() {
    paused(async {
        let states = ServerStates::new(2);
        let aaaa = ask(&states, POLICY, &[Silent, Good]);
        let a = async {
            sleep(Duration::from_millis(10)).await;
            ask(&states, POLICY, &[Good, Good]).await
        };
        let (aaaa, a) = futures_util::future::join(aaaa, a).await;
        assert_eq!((aaaa.0, a.0), (Some(1), Some(0)));
        assert_eq!(states.order(), [0, 1]);
        // Without another answer it is.
        ask(&states, POLICY, &[Silent, Good]).await;
        assert_eq!(states.order(), [1, 0]);
    });
}
