package config_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/containerpub/cpub/engine/config"
)

func TestParseCron(t *testing.T) {
	all := config.Cron{
		Second: []config.CronRange{{0, 0, 1}}, Minute: []config.CronRange{{0, 59, 1}}, Hour: []config.CronRange{{0, 23, 1}},
		DayOfMonth: []config.CronRange{{1, 31, 1}}, Month: []config.CronRange{{1, 12, 1}}, DayOfWeek: []config.CronRange{{0, 6, 1}},
	}
	sundays := []config.CronRange{{0, 0, 1}}
	for _, tt := range []struct {
		text string
		set  func(*config.Cron)
	}{
		{"* * * * *", func(*config.Cron) {}},
		{"* * * * 0-6", func(*config.Cron) {}},
		{"*/15 8-18/2,22 1,15 JAN,december mon-FRI", func(c *config.Cron) {
			c.Minute = []config.CronRange{{0, 59, 15}}
			c.Hour = []config.CronRange{{8, 18, 2}, {22, 22, 1}}
			c.DayOfMonth = []config.CronRange{{1, 1, 1}, {15, 15, 1}}
			c.Month = []config.CronRange{{1, 1, 1}, {12, 12, 1}}
			c.DayOfWeek = []config.CronRange{{1, 5, 1}}
		}},
		{"5/20 * * * 0-6", func(c *config.Cron) { c.Minute = []config.CronRange{{5, 59, 20}} }},
		{"* * * * 7", func(c *config.Cron) { c.DayOfWeek = sundays }},
		{"* * * * 5-7", func(c *config.Cron) { c.DayOfWeek = []config.CronRange{{0, 0, 1}, {5, 6, 1}} }},
		{"* * * * 3-7/3", func(c *config.Cron) { c.DayOfWeek = []config.CronRange{{3, 6, 3}} }},
		{"* * 29 2 0-6 2028", func(c *config.Cron) {
			c.DayOfMonth, c.Month, c.Year = []config.CronRange{{29, 29, 1}}, []config.CronRange{{2, 2, 1}}, []config.CronRange{{2028, 2028, 1}}
		}},
		{"30 * * * * 0-6 *", func(c *config.Cron) { c.Second = []config.CronRange{{30, 30, 1}} }},
		{"@weekly", func(c *config.Cron) {
			c.Minute, c.Hour, c.DayOfWeek = []config.CronRange{{0, 0, 1}}, []config.CronRange{{0, 0, 1}}, sundays
		}},
	} {
		want := all
		want.Text = tt.text
		tt.set(&want)
		got, err := config.ParseCron(" " + tt.text + " ")
		if err != nil {
			t.Errorf("%q: %v", tt.text, err)
		} else if !reflect.DeepEqual(*got, want) {
			t.Errorf("%q is\n%+v, want\n%+v", tt.text, *got, want)
		}
	}
}

func FuzzParseCron(f *testing.F) {
	for _, text := range []string{"*/15 8-18/2,22 1,15 JAN,dec mon-FRI", "@daily", "0 0 29 2 * 2028", "0 0 * * 5-7/2", "", "@every 1h", "0 2 31 2 *", "1-,/ * * * *"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := config.ParseCron(text)
		if err != nil {
			if err.Error() == "" || strings.Contains(err.Error(), "%!") {
				t.Errorf("%q: %q", text, err)
			}
			return
		}
		for i, ranges := range [][]config.CronRange{c.Second, c.Minute, c.Hour, c.DayOfMonth, c.Month, c.DayOfWeek} {
			if len(ranges) == 0 {
				t.Errorf("%q: field %d matches nothing", text, i)
			}
			for _, r := range ranges {
				if r.Start < 0 || r.End < r.Start || r.End > 59 || r.Step < 1 || i == 5 && r.End > 6 {
					t.Errorf("%q: field %d has %v", text, i, r)
				}
			}
		}
	})
}
