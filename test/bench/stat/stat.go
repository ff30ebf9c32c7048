package stat

import (
	"math"
	"slices"
)

// Interval is an estimate and the bounds of its 95 % interval.
type Interval struct {
	Mid  float64 `json:"mid"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Narrow reports whether both bounds are within share of the estimate: 0.05 is
// 5 %. An interval without bounds is not narrow.
func (i Interval) Narrow(share float64) bool {
	return i.Mid > 0 && i.High-i.Mid <= share*i.Mid && i.Mid-i.Low <= share*i.Mid
}

// Median returns the middle of the values, and NaN of none.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

// Percentile returns the value that share of the values (0.99) do not exceed,
// by the nearest rank, and NaN of none. It sorts its argument.
func Percentile(values []float64, share float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	slices.Sort(values)
	rank := int(math.Ceil(share*float64(len(values)))) - 1
	return values[min(max(rank, 0), len(values)-1)]
}

// Ratio estimates a/b of pairs that were measured in the same round, so that
// what slows the whole machine for a while falls out. It is the geometric mean
// with Student's interval of the logarithms: 2 and 1/2 are as far from 1.
// Pairs that are not above zero are left out; of fewer than two pairs, the
// bounds are 0 and infinity, and of none, everything is NaN.
func Ratio(a, b []float64) Interval {
	logs := make([]float64, 0, len(a))
	for i := range min(len(a), len(b)) {
		if a[i] > 0 && b[i] > 0 {
			logs = append(logs, math.Log(a[i]/b[i]))
		}
	}
	if len(logs) == 0 {
		return Interval{math.NaN(), math.NaN(), math.NaN()}
	}
	mean := Mean(logs)
	if len(logs) == 1 {
		return Interval{math.Exp(mean), 0, math.Inf(1)}
	}
	half := student(len(logs)-1) * deviation(logs, mean) / math.Sqrt(float64(len(logs)))
	return Interval{math.Exp(mean), math.Exp(mean - half), math.Exp(mean + half)}
}

// Mean returns the arithmetic mean, and NaN of no values.
func Mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

func deviation(values []float64, mean float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += (v - mean) * (v - mean)
	}
	return math.Sqrt(sum / float64(len(values)-1))
}

// students are the two-sided 95 % quantiles of Student's distribution for 1, 2,
// 3 ... degrees of freedom.
var students = []float64{
	12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
	2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
}

// student never understates: beyond the table it stays at the table's last.
func student(freedom int) float64 { return students[min(freedom, len(students))-1] }
