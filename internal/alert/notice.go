package alert

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
)

// Notice makes an alert by which falco-reporter speaks of itself or of its inputs. Its source
// is [ReporterSource], its kind [KindReporterInternal]. The time is that of what it tells.
func Notice(rule string, p Priority, at time.Time, host, output string, fields map[string]string) (*Alert, error) {
	raw, err := json.Marshal(map[string]any{
		"time": at.UTC().Format(time.RFC3339Nano), "rule": rule, "priority": p.String(), "source": ReporterSource,
		"hostname": host, "output": output, "output_fields": fields,
	}, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("encode the notice %q: %w", rule, err)
	}
	return DecodeJSON(raw)
}
