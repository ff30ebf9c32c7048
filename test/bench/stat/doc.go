// Package stat turns rounds of measurements into what a table shows: medians,
// and 95 % intervals of ratios between proxies that were measured in turns. It
// knows nothing of what was measured, and must not run anything.
package stat
