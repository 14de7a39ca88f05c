use clap::{Command, CommandFactory as _};

use super::Cli;

/// The program and each of its commands.
fn commands() -> Vec<Command> {
    let mut program = Cli::command();
    program.build();
    let commands = program.get_subcommands().filter(|command| command.get_name() != "help").cloned();
    std::iter::once(program.clone()).chain(commands.collect::<Vec<_>>()).collect()
}

#[test]
fn the_definition_is_consistent_and_its_help_fits_80_columns() {
    Cli::command().debug_assert();
    for mut command in commands() {
        for help in [command.render_help(), command.render_long_help()] {
            let help = help.to_string();
            assert_eq!(help.lines().find(|line| line.chars().count() > 80), None, "{}", command.get_name());
        }
    }
}

#[test]
fn the_man_page_has_every_command_option_and_variable() {
    let page = include_str!("../../docs/xmppd.8");
    let (synopsis, description) = page.split_once(".Sh DESCRIPTION").unwrap();
    let commands = commands();
    assert!(commands.len() > 6, "{commands:?}");
    for command in &commands[1..] {
        let name = command.get_name();
        assert!(description.contains(&format!("\n.It Cm {name}\n")), "{name}");
        // `run` is the default.
        let begin = if name == "run" { "\n.Op Cm run\n".to_owned() } else { format!("\n.Cm {name}\n") };
        let usage = synopsis.split_once(&begin).unwrap_or_else(|| panic!("no usage of {name}")).1;
        let usage = usage.split("\n.Nm").next().unwrap();
        for option in command.get_arguments().filter_map(|argument| argument.get_long()).filter(|name| *name != "help")
        {
            assert!(usage.contains(&format!("Fl -{option}")), "{name} --{option}");
            assert!(description.contains(&format!("Fl -{option}")), "{name} --{option}");
        }
    }
    let variables = super::ENVIRONMENT.split(|letter: char| !letter.is_ascii_uppercase() && letter != '_');
    let variables: Vec<&str> = variables.filter(|word| word.starts_with("XMPPD_")).collect();
    assert!(variables.len() > 5, "{variables:?}");
    for variable in variables {
        assert!(page.contains(&format!("\n.It Ev {variable}\n")), "{variable}");
    }
}
