"""Run the command line as `python -m scicot_cli`, for launchers that start a module (accelerate,
torchrun)."""

from scicot_cli.main import main

if __name__ == "__main__":
    main()
