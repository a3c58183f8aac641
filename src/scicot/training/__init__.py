"""What only training needs: building students, their examples, the Trainer, the model card."""
