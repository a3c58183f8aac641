"""How texts are generated and choices are scored, for any model: engines and what they share."""
