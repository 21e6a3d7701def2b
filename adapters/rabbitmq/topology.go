package rabbitmq

import (
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

// The exchanges. Consumers own and declare their queues; we declare these only.
const (
	Exchange = "strata.events"   // topic
	Unrouted = "strata.unrouted" // fanout: where messages go that no queue wants; nothing is bound to it at first
)

// declare makes what the publisher relies on. It runs on every new connection,
// so a broker that lost everything is set up again by itself.
func declare(ch *amqp.Channel, o Options) error {
	if err := ch.ExchangeDeclare(Unrouted, amqp.ExchangeFanout, true, false, false, false, nil); err != nil {
		return fmt.Errorf("declare exchange %s: %w", Unrouted, err)
	}
	if err := ch.ExchangeDeclare(Exchange, amqp.ExchangeTopic, true, false, false, false, amqp.Table{"alternate-exchange": Unrouted}); err != nil {
		return fmt.Errorf("declare exchange %s: %w", Exchange, err)
	}
	if o.CatchAll == "" {
		return nil
	}
	arguments := amqp.Table{amqp.QueueTypeArg: amqp.QueueTypeQuorum, amqp.QueueMaxLenArg: int64(o.CatchAllLength)}
	if _, err := ch.QueueDeclare(o.CatchAll, true, false, false, false, arguments); err != nil {
		return fmt.Errorf("declare queue %s: %w", o.CatchAll, err)
	}
	if err := ch.QueueBind(o.CatchAll, "#", Exchange, false, nil); err != nil {
		return fmt.Errorf("bind queue %s: %w", o.CatchAll, err)
	}
	return nil
}
