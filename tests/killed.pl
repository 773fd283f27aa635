# killed.pl TIMES: records "killed", and kills all of it at a random moment, TIMES times: each trace must read, and have all that was
# done until then.  $EAGAIN and $PROGRAMS say where they are.
use strict;
use warnings;
use POSIX ();
use Time::HiRes 'sleep';

my ($times) = @ARGV;
my $seed = srand;
my ($begun, $most) = (0, 0);

for my $time (1 .. $times) {
	system 'rm', '-rf', 'trace', 'progress';
	pipe my $end, my $alive or die;
	my $pid = fork;
	if (!$pid) {
		setpgrp;
		close $end;
		POSIX::dup2(fileno $alive, 9);
		exec($ENV{EAGAIN}, 'record', '-o', 'trace', "$ENV{PROGRAMS}/killed", 'progress') or POSIX::_exit(127);
	}
	close $alive;
	# Half of them as it begins.
	sleep rand($time % 2 ? 0.01 : 0.06);
	kill 'KILL', -$pid or kill 'KILL', $pid;
	waitpid $pid, 0;
	# All are gone when nobody has the pipe.
	sysread $end, my $none, 1;

	my @told;
	if (open my $f, '<:raw', 'progress') {
		local $/;
		@told = unpack 'Q6', <$f> . "\0" x 48;
	}
	my %done = @told;
	delete $done{0};
	$begun++ if %done;
	my $log = `"$ENV{EAGAIN}" log trace 2>errors`;
	if ($?) {
		open my $e, '<', 'errors';
		my @lines = <$e>;
		die "seed $seed, $time: status $?: @lines" if %done || @lines != 1;
		next;
	}
	my %writes;
	$writes{$1}++ while $log =~ /tid=(\d+) .*ev=call call=write .*name=pipe.* ret=1 /g;
	for my $tid (keys %done) {
		my $there = $writes{$tid} // 0;
		die "seed $seed, $time: $tid has done $done{$tid}, and $there are there\n" if $there < $done{$tid} || $there > $done{$tid} + 1;
		$most = $there if $there > $most;
	}
	system("'$ENV{EAGAIN}' report trace >report") == 0 or die "seed $seed, $time: report: $?\n";
}
print "$begun of $times had begun; the longest wrote $most times\n";
die "too few\n" if $begun < $times / 4;
