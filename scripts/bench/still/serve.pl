#!/usr/bin/perl
# Summary: an application that costs next to nothing: ready at once, gone at once at SIGTERM. Only what is in Debian's perl-base.
use strict;
use warnings;
use IO::Socket::INET;

$SIG{TERM} = sub { exit 0 };
$SIG{PIPE} = 'IGNORE';

my $body = '{"status":"ok"}';
my $answer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " . length($body) . "\r\nConnection: close\r\n\r\n$body";
my $server = IO::Socket::INET->new(LocalPort => 3000, Listen => 128, ReuseAddr => 1) or die "port 3000: $!\n";
while (1) {
    my $client = $server->accept or next;
    # Nobody may hold up the others by saying nothing.
    $client->sockopt(SO_RCVTIMEO, pack('l!l!', 2, 0));
    while (my $line = <$client>) { last if $line =~ /^\r?\n$/ }
    print $client $answer;
    close $client;
}
