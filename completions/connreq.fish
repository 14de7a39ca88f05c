complete -c connreq -l targets -d 'File with further CPEs, one per line; - is stdin' -r -F
complete -c connreq -l resource -d 'Resource for CPEs given without one' -r
complete -c connreq -l jid -d 'The ACS\'s account, with or without a resource' -r
complete -c connreq -l password-file -d 'File with the account\'s password' -r -F
complete -c connreq -l server -d 'Server to connect to [default: by DNS]' -r
complete -c connreq -l ca -d 'Certificates to trust [default: the system\'s]' -r -F
complete -c connreq -l login-timeout -d 'Maximum time for the login' -r
complete -c connreq -l connreq-user -d 'Connection request user name of the CPEs' -r
complete -c connreq -l connreq-secret-file -d 'File with the connection request password' -r -F
complete -c connreq -l timeout -d 'Maximum time for an answer' -r
complete -c connreq -l concurrency -d 'Maximum pending requests' -r
complete -c connreq -l rate -d 'Maximum requests per second [default: none]' -r
complete -c connreq -l count -d 'Rounds [default: 1; with --interval endless]' -r
complete -c connreq -l interval -d 'Time from round to round [default: 1]' -r
complete -c connreq -l insecure -d 'Accept any server certificate (for tests)'
complete -c connreq -l json -d 'Print JSON lines: one for each answer, one for the summary'
complete -c connreq -s q -l quiet -d 'Print the summary only: no answers, no progress bar'
complete -c connreq -s h -l help -d 'Print help'
complete -c connreq -s V -l version -d 'Print version'
