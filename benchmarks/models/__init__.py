"""How well sentiment and intents are heard, beside the alternatives: figures on labelled sets given by their folder."""
