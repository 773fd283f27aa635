# program.tcl - sockets with fileevent, pipelines and timers in tcl.
proc accept {s host port} { fconfigure $s -blocking 0 -buffering line; fileevent $s readable [list answer $s] }
proc answer {s} {
	if {[gets $s line] >= 0} { puts $s [string reverse $line] } elseif {[eof $s]} { close $s; incr ::closed }
}
set closed 0
set server [socket -server accept -myaddr 127.0.0.1 0]
set port [lindex [fconfigure $server -sockname] 2]
proc got {s n} {
	if {[gets $s line] < 0} return
	incr ::lines
	if {$n < 100} { puts $s "line [incr n]"; fileevent $s readable [list got $s $n] } else { close $s }
}
set lines 0
for {set i 0} {$i < 5} {incr i} {
	set s [socket 127.0.0.1 $port]
	fconfigure $s -blocking 0 -buffering line
	fileevent $s readable [list got $s 1]
	puts $s "line 1"
}
while {$closed < 5} { vwait closed }
puts "lines: $lines"
puts [exec sort << "b\na\nc" | tr a-z A-Z]
puts [catch {exec sh -c {echo output; echo errors >&2; exit 3}} text options],$text,[lindex [dict get $options -errorcode] 2]
set p [open "|sort -rn" r+]
for {set i 0} {$i < 30000} {incr i} { puts $p $i }
close $p write
set sum 0
while {[gets $p n] >= 0} { incr sum $n }
close $p
puts "sum: $sum"
after 20 {set late 1}
vwait late
lassign [chan pipe] r w
fconfigure $r -blocking 0
puts "nothing: [gets $r line] [fblocked $r]"
puts "stdin: [string length [read stdin]]"
exit 4
