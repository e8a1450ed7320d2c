from minikeras.engine.spelling import older_names

__getattr__ = older_names("engine")
