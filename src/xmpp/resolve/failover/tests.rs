use std::cell::RefCell;

use super::*;
use crate::testing::paused;

/// How a server behaves: an answer or a failure after some time, or silence.
#[derive(Debug, Clone, Copy)]
enum Server {
    Good,
    Slow(u64),
    Refusing,
    Unreachable,
    Silent,
}
use Server::{Good, Refusing, Silent, Slow, Unreachable};

const PATIENCE: Patience = Patience { turn: Duration::from_secs(2), attempts: 2 };

/// One question: which server answered, after how many ms, and who was asked when.
async fn ask(memory: &Memory, patience: Patience, servers: &[Server]) -> (Option<usize>, u128, Vec<(usize, u128)>) {
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
                Refusing => Err(Failure::Code(5)),
                Unreachable => Err(Failure::Io("no route".to_owned())),
                Silent => std::future::pending().await,
            }
        }
    };
    let answer = ask_in_turn(memory, patience, question).await.ok();
    (answer, start.elapsed().as_millis(), asked.into_inner())
}

#[test]
fn a_failure_has_the_next_one_asked_at_once() {
    paused(async {
        for bad in [Refusing, Unreachable] {
            let memory = Memory::new(3);
            for _ in 0..2 {
                let (answer, took, asked) = ask(&memory, PATIENCE, &[bad, bad, Good]).await;
                assert_eq!((answer, took, asked), (Some(2), 0, vec![(0, 0), (1, 0), (2, 0)]));
            }
            // Once each: to ask again at once would not help.
            let (answer, took, asked) = ask(&memory, PATIENCE, &[bad; 3]).await;
            assert_eq!((answer, took, asked.len()), (None, 0, 3));
        }
    });
}

#[test]
fn silence_costs_its_time_once() {
    paused(async {
        let memory = Memory::new(3);
        let servers = [Silent, Silent, Good];
        assert_eq!(ask(&memory, PATIENCE, &servers).await, (Some(2), 4000, vec![(0, 0), (1, 2000), (2, 4000)]));
        assert_eq!(ask(&memory, PATIENCE, &servers).await, (Some(2), 0, vec![(2, 0)]));
        // The good one goes: the others are asked again, and what came back is preferred.
        let (answer, took, _) = ask(&memory, PATIENCE, &[Silent, Good, Silent]).await;
        assert_eq!((answer, took), (Some(1), 4000));
        assert_eq!(ask(&memory, PATIENCE, &[Good, Good, Good]).await, (Some(1), 0, vec![(1, 0)]));
        // All of them silent: first the one that answered last.
        let (answer, took, asked) = ask(&memory, PATIENCE, &[Silent; 3]).await;
        let order: Vec<usize> = asked.iter().map(|(server, _)| *server).collect();
        assert_eq!((answer, took, order), (None, 12_000, vec![1, 2, 0, 1, 2, 0]));
    });
}

/// A server that cannot be reached has not answered: one that was silent before is still asked last.
#[test]
fn an_unreachable_server_stays_silent() {
    paused(async {
        let memory = Memory::new(2);
        ask(&memory, PATIENCE, &[Silent, Good]).await;
        assert_eq!(ask(&memory, PATIENCE, &[Unreachable; 2]).await.0, None);
        assert_eq!(ask(&memory, PATIENCE, &[Good; 2]).await, (Some(1), 0, vec![(1, 0)]));
    });
}

#[test]
fn one_silent_server_is_asked_again() {
    paused(async {
        let memory = Memory::new(1);
        assert_eq!(ask(&memory, PATIENCE, &[Silent]).await, (None, 4000, vec![(0, 0), (0, 2000)]));
        let patience = Patience { turn: Duration::from_secs(1), attempts: 1 };
        assert_eq!(ask(&memory, patience, &[Silent]).await, (None, 1000, vec![(0, 0)]));
        // Beside one that refuses.
        let memory = Memory::new(2);
        let asked = vec![(0, 0), (1, 0), (1, 2000)];
        assert_eq!(ask(&memory, PATIENCE, &[Refusing, Silent]).await, (None, 4000, asked));
    });
}

#[test]
fn a_late_answer_is_an_answer() {
    paused(async {
        let memory = Memory::new(2);
        assert_eq!(ask(&memory, PATIENCE, &[Slow(2500), Silent]).await, (Some(0), 2500, vec![(0, 0), (1, 2000)]));
        // It has answered: it is not silent.
        assert_eq!(memory.order(), [0, 1]);
    });
}

/// There are servers that drop one kind of question: what they answer otherwise shows that they are there.
#[test]
fn who_answers_another_question_is_not_silent() {
    paused(async {
        let memory = Memory::new(2);
        let aaaa = ask(&memory, PATIENCE, &[Silent, Good]);
        let a = async {
            sleep(Duration::from_millis(10)).await;
            ask(&memory, PATIENCE, &[Good, Good]).await
        };
        let (aaaa, a) = futures_util::future::join(aaaa, a).await;
        assert_eq!((aaaa.0, a.0), (Some(1), Some(0)));
        assert_eq!(memory.order(), [0, 1]);
        // Without the other question it is.
        ask(&memory, PATIENCE, &[Silent, Good]).await;
        assert_eq!(memory.order(), [1, 0]);
    });
}
