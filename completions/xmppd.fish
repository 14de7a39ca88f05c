# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_xmppd_global_optspecs
    string join \n config= cwmp-config= socket= ubus-socket= log= h/help V/version
end

function __fish_xmppd_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_xmppd_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_xmppd_using_subcommand
    set -l cmd (__fish_xmppd_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c xmppd -n "__fish_xmppd_needs_command" -l config -d 'The UCI file to follow [default: /etc/config/xmpp]' -r -F
complete -c xmppd -n "__fish_xmppd_needs_command" -l cwmp-config -d 'The CWMP client\'s file [default: /etc/config/cwmp]' -r -F
complete -c xmppd -n "__fish_xmppd_needs_command" -l socket -d 'Control socket [default: /var/run/xmppd/xmppd.sock]' -r -F
complete -c xmppd -n "__fish_xmppd_needs_command" -l ubus-socket -d 'ubusd\'s socket [default: /var/run/ubus/ubus.sock]' -r -F
complete -c xmppd -n "__fish_xmppd_needs_command" -l log -d 'Where to log: auto, stderr, syslog [default: auto]' -r -f -a "auto\t'Standard error, in the form that suits it'
stderr\t'Standard error, in bare lines'
syslog\t'The local syslog daemon'"
complete -c xmppd -n "__fish_xmppd_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c xmppd -n "__fish_xmppd_needs_command" -s V -l version -d 'Print version'
complete -c xmppd -n "__fish_xmppd_needs_command" -f -a "run" -d 'Run the daemon, in the foreground'
complete -c xmppd -n "__fish_xmppd_needs_command" -f -a "check" -d 'Say what is wrong with a UCI file, as the daemon would'
complete -c xmppd -n "__fish_xmppd_needs_command" -f -a "status" -d 'Show what the running daemon and its connections are doing'
complete -c xmppd -n "__fish_xmppd_needs_command" -f -a "tr181" -d 'Show the parameters of TR-181, a path and its value a line'
complete -c xmppd -n "__fish_xmppd_needs_command" -f -a "reload" -d 'Have the running daemon read its files now, and show what changed'
complete -c xmppd -n "__fish_xmppd_needs_command" -f -a "reconnect" -d 'Tell the running daemon that the network is back'
complete -c xmppd -n "__fish_xmppd_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c xmppd -n "__fish_xmppd_using_subcommand run" -l config -d 'The UCI file to follow [default: /etc/config/xmpp]' -r -F
complete -c xmppd -n "__fish_xmppd_using_subcommand run" -l cwmp-config -d 'The CWMP client\'s file [default: /etc/config/cwmp]' -r -F
complete -c xmppd -n "__fish_xmppd_using_subcommand run" -l socket -d 'Control socket [default: /var/run/xmppd/xmppd.sock]' -r -F
complete -c xmppd -n "__fish_xmppd_using_subcommand run" -l ubus-socket -d 'ubusd\'s socket [default: /var/run/ubus/ubus.sock]' -r -F
complete -c xmppd -n "__fish_xmppd_using_subcommand run" -l log -d 'Where to log: auto, stderr, syslog [default: auto]' -r -f -a "auto\t'Standard error, in the form that suits it'
stderr\t'Standard error, in bare lines'
syslog\t'The local syslog daemon'"
complete -c xmppd -n "__fish_xmppd_using_subcommand run" -s h -l help -d 'Print help'
complete -c xmppd -n "__fish_xmppd_using_subcommand check" -l json -d 'As a JSON document, see docs/ubus.md'
complete -c xmppd -n "__fish_xmppd_using_subcommand check" -s h -l help -d 'Print help'
complete -c xmppd -n "__fish_xmppd_using_subcommand status" -l socket -d 'Control socket [default: /var/run/xmppd/xmppd.sock]' -r -F
complete -c xmppd -n "__fish_xmppd_using_subcommand status" -l json -d 'As a JSON document, see docs/status.md'
complete -c xmppd -n "__fish_xmppd_using_subcommand status" -l watch -d 'Show it again every 2 seconds, until Ctrl-C'
complete -c xmppd -n "__fish_xmppd_using_subcommand status" -s h -l help -d 'Print help'
complete -c xmppd -n "__fish_xmppd_using_subcommand tr181" -l socket -d 'Control socket [default: /var/run/xmppd/xmppd.sock]' -r -F
complete -c xmppd -n "__fish_xmppd_using_subcommand tr181" -s h -l help -d 'Print help'
complete -c xmppd -n "__fish_xmppd_using_subcommand reload" -l socket -d 'Control socket [default: /var/run/xmppd/xmppd.sock]' -r -F
complete -c xmppd -n "__fish_xmppd_using_subcommand reload" -s h -l help -d 'Print help'
complete -c xmppd -n "__fish_xmppd_using_subcommand reconnect" -l socket -d 'Control socket [default: /var/run/xmppd/xmppd.sock]' -r -F
complete -c xmppd -n "__fish_xmppd_using_subcommand reconnect" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c xmppd -n "__fish_xmppd_using_subcommand help; and not __fish_seen_subcommand_from run check status tr181 reload reconnect help" -f -a "run" -d 'Run the daemon, in the foreground'
complete -c xmppd -n "__fish_xmppd_using_subcommand help; and not __fish_seen_subcommand_from run check status tr181 reload reconnect help" -f -a "check" -d 'Say what is wrong with a UCI file, as the daemon would'
complete -c xmppd -n "__fish_xmppd_using_subcommand help; and not __fish_seen_subcommand_from run check status tr181 reload reconnect help" -f -a "status" -d 'Show what the running daemon and its connections are doing'
complete -c xmppd -n "__fish_xmppd_using_subcommand help; and not __fish_seen_subcommand_from run check status tr181 reload reconnect help" -f -a "tr181" -d 'Show the parameters of TR-181, a path and its value a line'
complete -c xmppd -n "__fish_xmppd_using_subcommand help; and not __fish_seen_subcommand_from run check status tr181 reload reconnect help" -f -a "reload" -d 'Have the running daemon read its files now, and show what changed'
complete -c xmppd -n "__fish_xmppd_using_subcommand help; and not __fish_seen_subcommand_from run check status tr181 reload reconnect help" -f -a "reconnect" -d 'Tell the running daemon that the network is back'
complete -c xmppd -n "__fish_xmppd_using_subcommand help; and not __fish_seen_subcommand_from run check status tr181 reload reconnect help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
