package stat

import (
	"math"
	"math/rand/v2"
	"testing"
)

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-3*math.Abs(b) }

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{
		{[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 2, 100}, 3},
	} {
		if got := Median(c.values); got != c.want {
			t.Errorf("Median(%v) = %v, want %v", c.values, got, c.want)
		}
	}
	if !math.IsNaN(Median(nil)) {
		t.Error("the median of nothing is a number")
	}
}

func TestPercentile(t *testing.T) {
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[i] = float64(100 - i)
	}
	for share, want := range map[float64]float64{0.5: 50, 0.99: 99, 1: 100, 0: 1} {
		if got := Percentile(hundred, share); got != want {
			t.Errorf("Percentile(1..100, %v) = %v, want %v", share, got, want)
		}
	}
	if !math.IsNaN(Percentile(nil, .5)) {
		t.Error("a percentile of nothing is a number")
	}
}

// The bounds are worked out by hand: logarithms ±d with n = 4 have the standard
// deviation d*sqrt(4/3), and Student's quantile for 3 is 3.182.
func TestRatio(t *testing.T) {
	d := 0.1
	a := []float64{2 * math.Exp(d), 2 * math.Exp(-d), 2 * math.Exp(d), 2 * math.Exp(-d)}
	got := Ratio(a, []float64{1, 1, 1, 1})
	half := 3.182 * d * math.Sqrt(4.0/3) / 2
	if !near(got.Mid, 2) || !near(got.Low, 2*math.Exp(-half)) || !near(got.High, 2*math.Exp(half)) {
		t.Errorf("Ratio = %+v, want 2 with %v either way in logarithms", got, half)
	}
}

func TestRatioPairsRounds(t *testing.T) {
	got := Ratio([]float64{2, 20, 200}, []float64{1, 10, 100})
	if !near(got.Mid, 2) || !got.Narrow(0.001) {
		t.Errorf("Ratio = %+v: what slows both in a round must fall out", got)
	}
}

func TestRatioOfTooLittle(t *testing.T) {
	if got := Ratio([]float64{3}, []float64{2}); !near(got.Mid, 1.5) || got.Narrow(1000) {
		t.Errorf("one round gives %+v, want 1.5 without bounds", got)
	}
	if got := Ratio([]float64{0, -1}, []float64{1, 1}); !math.IsNaN(got.Mid) || got.Narrow(1) {
		t.Errorf("no usable round gives %+v", got)
	}
	if got := Ratio([]float64{0, 3, 3}, []float64{1, 1, 1}); !near(got.Mid, 3) {
		t.Errorf("a round without a measure gives %+v, want that it is left out", got)
	}
}

// Of many experiments with a known ratio, about 95 in 100 intervals hold it.
func TestRatioCovers(t *testing.T) {
	random, held := rand.New(rand.NewPCG(1, 2)), 0
	for range 1000 {
		var a, b []float64
		for range 6 {
			a = append(a, 1.3*math.Exp(0.2*random.NormFloat64()))
			b = append(b, math.Exp(0.2*random.NormFloat64()))
		}
		if i := Ratio(a, b); i.Low <= 1.3 && 1.3 <= i.High {
			held++
		}
	}
	if held < 930 || held > 970 {
		t.Errorf("%d of 1000 intervals hold the true ratio, want about 950", held)
	}
}

func TestNarrow(t *testing.T) {
	for _, c := range []struct {
		i    Interval
		want bool
	}{
		{Interval{1, .96, 1.04}, true}, {Interval{1, .9, 1.04}, false}, {Interval{1, .96, 1.1}, false},
		{Interval{math.NaN(), math.NaN(), math.NaN()}, false},
	} {
		if c.i.Narrow(.05) != c.want {
			t.Errorf("%+v.Narrow(0.05) = %v", c.i, !c.want)
		}
	}
}
