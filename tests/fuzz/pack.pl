# pack.pl VIEWS PREFIX TRACE...: makes seeds of traces, for each view one: PREFIX-TRACE-VIEW, as tests/fuzz/trace.c reads them.
use strict;
use warnings;

# pieces FILE BYTES: slots of 32 bytes; those that are zero are left out, but for the last.
sub pieces {
	my ($file, $bytes) = @_;
	my ($out, $zeros, $some) = ('', 0, '');
	my $flush = sub {
		$out .= pack('CvvA*', $file, $zeros, length($some) / 32, '') . $some if length $some;
		($zeros, $some) = (0, '') if length $some;
	};
	$bytes .= "\0" x (-length($bytes) % 32);
	for (my $at = 0; $at < length $bytes; $at += 32) {
		my $slot = substr $bytes, $at, 32;
		if ($slot =~ /^\0*$/ && $at + 32 < length $bytes) {
			$flush->();
			$zeros++;
		} else {
			$some .= $slot;
		}
	}
	$flush->();
	return $out;
}

my ($views, $prefix, @traces) = @ARGV;
for my $trace (@traces) {
	my ($file, $packed) = (1, '');
	for my $path ("$trace/control", sort glob "$trace/[0-9]*") {
		open my $f, '<:raw', $path or die "$path: $!\n";
		my $bytes = do { local $/; <$f> };
		$packed .= pieces($path =~ /control$/ ? 0 : $file++, $bytes) if $file < 6;
	}
	(my $name = $trace) =~ s!.*/!!;
	for my $view (0 .. $views - 1) {
		open my $f, '>:raw', "$prefix-$name-$view" or die "$prefix-$name-$view: $!\n";
		print $f pack('CC', $view, 0), $packed;
	}
}
