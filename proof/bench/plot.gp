# SPDX-License-Identifier: GPL-2.0-only
# The figures of bench, from the blocks of $rows: x, stock, with the series.
set terminal svg size 900,720 noenhanced name 'bench'
set multiplot layout 2,2
set ylabel 'instructions'
set key left top
set logscale xy
set title 'refused reaping by mappings, 8 notifiers, the first refuses'
set xlabel 'mappings'
plot $rows index 0 using 1:2 with linespoints title 'stock', \
     $rows index 0 using 1:3 with linespoints title 'with the series'
unset logscale
set yrange [0:*]
set title "refused reaping by the refuser's place, 1,000 mappings"
set xlabel 'place of 8'
plot $rows index 1 using 1:2 with linespoints title 'stock', \
     $rows index 1 using 1:3 with linespoints title 'with the series'
set logscale xy
set yrange [*:*]
set title 'refused reaping by notifiers, 1,000 mappings, the first refuses'
set xlabel 'hlist notifiers'
plot $rows index 2 using 1:2 with linespoints title 'stock', \
     $rows index 2 using 1:3 with linespoints title 'with the series'
unset logscale
set yrange [0:*]
set title 'madvise() without a refusal, by notifiers'
plot $rows index 3 using 1:2 with linespoints title 'stock', \
     $rows index 3 using 1:3 with linespoints title 'with the series'
