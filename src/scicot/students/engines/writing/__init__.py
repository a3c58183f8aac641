"""How texts are written side by side: in groups that shrink, or in slots that are filled again."""
